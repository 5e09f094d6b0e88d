//! Any bytes to any gRPC method: what an SDK would never send.

use std::net::SocketAddr;

use bytes::{Buf, BufMut, Bytes};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Status};

pub const EXPORT_TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
pub const EXPORT_METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
pub const EXPORT_LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/// Sends one message and gives the answer's message, or the status that refused it.
pub fn unary(server: SocketAddr, method: &'static str, message: Vec<u8>) -> Result<Bytes, Status> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    runtime.block_on(async {
        let endpoint = Channel::from_shared(format!("http://{server}")).expect("an address is a URI");
        let channel = endpoint.connect().await.expect("the daemon listens");
        let mut client = tonic::client::Grpc::new(channel);
        client.ready().await.expect("a new connection is ready");
        let request = Request::new(Bytes::from(message));
        let answer = client.unary(request, PathAndQuery::from_static(method), Raw).await?;
        Ok(answer.into_inner())
    })
}

/// Messages as they are.
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(message.copy_to_bytes(message.remaining())))
    }
}
