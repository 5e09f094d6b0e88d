//! The connection: requests that are encoded already go out as they are, and answers are read field by field.

use std::io;

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use spanmill_proto::otlp::response;
use spanmill_proto::wire::{Fields, Malformed};
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

use super::settings::{Compression, OtlpSettings};

/// Largest answer that is read: it holds a number and a sentence.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A receiver of spans; connects when there is something to send.
#[derive(Debug, Clone)]
pub(super) struct Receiver {
    channel: Channel,
    settings: OtlpSettings,
}

impl Receiver {
    /// Must run inside a runtime.
    pub(super) fn new(settings: &OtlpSettings) -> io::Result<Receiver> {
        let endpoint = Endpoint::from_shared(settings.endpoint.clone()).map_err(io::Error::other)?;
        let endpoint = endpoint.connect_timeout(settings.timeout).timeout(settings.timeout);
        let is_tls = endpoint.uri().scheme_str() == Some("https");
        let endpoint =
            if is_tls { endpoint.tls_config(tls(settings)?).map_err(io::Error::other)? } else { endpoint };
        Ok(Receiver { channel: endpoint.connect_lazy(), settings: settings.clone() })
    }

    pub(super) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// A request with the headers that the operator wants.
    pub(super) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        *request.metadata_mut() = self.settings.headers.clone();
        request
    }

    /// Sends an export request; the number of spans that the receiver refused.
    pub(super) async fn export(&self, spans: Bytes) -> Result<u64, Status> {
        let mut grpc =
            tonic::client::Grpc::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX);
        grpc = match self.settings.compression {
            Compression::None => grpc,
            Compression::Gzip => grpc.send_compressed(CompressionEncoding::Gzip),
            Compression::Zstd => grpc.send_compressed(CompressionEncoding::Zstd),
        };
        grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let path = PathAndQuery::from_static(spanmill_proto::grpc::EXPORT);
        let answer = grpc.unary(self.request(spans), path, Raw).await?.into_inner();
        // An answer that is not well-formed is an answer still: the spans are there.
        Ok(rejected_spans(&answer).unwrap_or(0))
    }
}

fn tls(settings: &OtlpSettings) -> io::Result<ClientTlsConfig> {
    let mut tls = ClientTlsConfig::new();
    tls = match &settings.ca_file {
        Some(file) => tls.ca_certificate(Certificate::from_pem(std::fs::read(file)?)),
        None => tls.with_native_roots(),
    };
    if let Some((certificate, key)) = &settings.identity_files {
        tls = tls.identity(Identity::from_pem(std::fs::read(certificate)?, std::fs::read(key)?));
    }
    Ok(tls)
}

fn rejected_spans(answer: &[u8]) -> Result<u64, Malformed> {
    let mut rejected = 0;
    let mut fields = Fields::of(answer);
    while let Some(field) = fields.next()? {
        if field.number == response::PARTIAL_SUCCESS {
            let mut fields = field.message()?;
            while let Some(field) = fields.next()? {
                if field.number == response::REJECTED_SPANS {
                    rejected = field.varint()?;
                }
            }
        }
    }
    Ok(rejected)
}

/// Messages as the bytes they are.
#[derive(Debug, Clone, Copy)]
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

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(bytes.copy_to_bytes(bytes.remaining())))
    }
}
