//! What the roll-up needs of a span, read off its wire bytes: nothing is decoded that is not asked for.
//!
//! Only CLIENT and PRODUCER spans have their attributes opened, and INTERNAL ones that name a provider.
//! Fields may come in any order; of a repeated field the last one counts, as in every protobuf reader.

use spanmill_proto::otlp::{self, Scalar, event, kind, resource, span, status};
use spanmill_proto::wire::{Field, Fields, Malformed, Value};

use super::host;
use super::key::{Key, key};
use super::scan::{Attribute, Scan};

/// A text attribute that several names may give: the name of lowest rank wins.
#[derive(Debug, Clone, Copy)]
pub struct Ranked<T> {
    rank: u8,
    value: Option<T>,
}

impl<T> Default for Ranked<T> {
    fn default() -> Ranked<T> {
        Ranked { rank: u8::MAX, value: None }
    }
}

impl<T: Copy> Ranked<T> {
    fn set(&mut self, rank: u8, value: Option<T>) {
        if value.is_some() && rank <= self.rank {
            *self = Ranked { rank, value };
        }
    }

    pub fn get(&self) -> Option<T> {
        self.value
    }
}

/// Who is called: the candidates, in the order of `name.rs`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Peer<'a> {
    pub provider: Ranked<&'a [u8]>,
    pub host: Ranked<&'a [u8]>,
    pub port: Ranked<u16>,
    pub url: Ranked<&'a [u8]>,
    pub path: Ranked<&'a [u8]>,
    pub address: Ranked<&'a [u8]>,
    pub inner: Ranked<&'a [u8]>,
}

/// What is done there.
#[derive(Debug, Clone, Copy, Default)]
pub struct Doing<'a> {
    pub operation: Option<&'a [u8]>,
    pub rpc_method: Option<&'a [u8]>,
    pub method: Ranked<&'a [u8]>,
    pub template: Option<&'a [u8]>,
    pub db_operation: Ranked<&'a [u8]>,
}

/// What the span says of how it went.
#[derive(Debug, Clone, Copy, Default)]
pub struct Evidence<'a> {
    pub outcome: Option<&'a [u8]>,
    pub http_status: Ranked<i64>,
    pub grpc_status: Ranked<Scalar<'a>>,
    pub error_type: Option<Scalar<'a>>,
    pub status: u64,
    pub status_message: &'a [u8],
    /// At least one; opened only when nothing else tells.
    pub has_events: bool,
}

/// An exception event: `exception.type` and `exception.message`, empty where it says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exception<'a> {
    pub class: &'a [u8],
    pub message: &'a [u8],
}

/// An outgoing call, as its span tells it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Call<'a> {
    bytes: &'a [u8],
    pub trace_id: &'a [u8],
    pub span_id: &'a [u8],
    pub parent_span_id: &'a [u8],
    pub trace_state: &'a [u8],
    pub kind: u64,
    pub name: &'a [u8],
    pub start_ns: u64,
    pub end_ns: u64,
    pub peer: Peer<'a>,
    pub doing: Doing<'a>,
    pub evidence: Evidence<'a>,
    /// One try inside a call that has a span of its own.
    pub is_attempt: bool,
    /// A notice that the call has begun; the span proper comes later.
    pub is_pending: bool,
    /// The notice is a span of its own, under the one that it announces.
    announces_parent: bool,
}

/// Reads a span, or the notice of one. `None`: not an outgoing call.
#[inline]
pub fn read(bytes: &[u8]) -> Result<Option<Call<'_>>, Malformed> {
    if !may_be_call(bytes)? {
        return Ok(None);
    }
    let mut call = Call { bytes, ..Call::default() };
    call.fill()?;
    let is_call = call.kind != kind::INTERNAL || call.peer.provider.get().is_some();
    Ok(is_call.then_some(call))
}

/// Passes over the fields for the kind, which decides whether attributes are opened and may stand behind them.
#[inline]
fn may_be_call(bytes: &[u8]) -> Result<bool, Malformed> {
    let mut kind = 0;
    let mut names_provider = false;
    let mut scan = Scan::of(bytes);
    while let Some((number, value)) = scan.next()? {
        match (number, value) {
            (span::KIND, value) => kind = varint(number, value)?,
            (span::ATTRIBUTES, Value::Bytes(attribute)) if kind != kind::CLIENT => {
                names_provider |= may_name_provider(attribute)?;
            }
            _ => {}
        }
    }
    Ok(match kind {
        kind::CLIENT | kind::PRODUCER => true,
        kind::INTERNAL => names_provider,
        _ => false,
    })
}

impl<'a> Call<'a> {
    fn fill(&mut self) -> Result<(), Malformed> {
        let mut scan = Scan::of(self.bytes);
        while let Some((number, value)) = scan.next()? {
            match number {
                span::ATTRIBUTES => {
                    let attribute = Attribute::read(bytes(number, value)?)?;
                    if let Some(key) = key(attribute.key) {
                        self.take(key, attribute.value()?);
                    }
                }
                span::TRACE_ID => self.trace_id = bytes(number, value)?,
                span::SPAN_ID => self.span_id = bytes(number, value)?,
                span::PARENT_SPAN_ID => self.parent_span_id = bytes(number, value)?,
                span::TRACE_STATE => self.trace_state = bytes(number, value)?,
                span::KIND => self.kind = varint(number, value)?,
                span::START_TIME => self.start_ns = fixed64(number, value)?,
                span::END_TIME => self.end_ns = fixed64(number, value)?,
                span::NAME => self.name = bytes(number, value)?,
                span::EVENTS => self.evidence.has_events = true,
                span::STATUS => self.status(bytes(number, value)?)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn status(&mut self, message: &'a [u8]) -> Result<(), Malformed> {
        let mut fields = Fields::of(message);
        while let Some(field) = fields.next()? {
            match field.number {
                status::CODE => self.evidence.status = field.varint()?,
                status::MESSAGE => self.evidence.status_message = field.bytes()?,
                _ => {}
            }
        }
        Ok(())
    }

    #[inline]
    fn take(&mut self, key: Key, value: Scalar<'a>) {
        let (peer, doing, evidence) = (&mut self.peer, &mut self.doing, &mut self.evidence);
        match key {
            Key::Provider(rank) => peer.provider.set(rank, text(value)),
            Key::Host(rank) => peer.host.set(rank, text(value)),
            Key::Port(rank) => peer.port.set(rank, port(value)),
            Key::Url(rank) => peer.url.set(rank, text(value)),
            Key::Path(rank) => peer.path.set(rank, text(value)),
            Key::Address(rank) => peer.address.set(rank, text(value)),
            Key::Inner(rank) => peer.inner.set(rank, text(value)),
            Key::Operation => doing.operation = text(value),
            Key::RpcMethod => doing.rpc_method = text(value),
            Key::Method(rank) => doing.method.set(rank, text(value)),
            Key::Template => doing.template = text(value),
            Key::DbOperation(rank) => doing.db_operation.set(rank, text(value)),
            Key::Outcome => evidence.outcome = text(value),
            Key::HttpStatus(rank) => evidence.http_status.set(rank, integer(value)),
            Key::GrpcStatus(rank) => evidence.grpc_status.set(rank, Some(value)),
            Key::ErrorType => evidence.error_type = Some(value),
            Key::Attempt => self.is_attempt = matches!(value, Scalar::Bool(true) | Scalar::Text(b"true")),
            Key::SpanType => {
                self.announces_parent = matches!(value, Scalar::Text(b"pending_span"));
                self.is_pending |= self.announces_parent;
            }
            Key::PartialVersion => self.is_pending |= integer(value).is_some_and(|version| version > 0),
        }
    }

    /// Trace and span; zeros where an id is not of its length, which the mask stage lets pass for nobody.
    pub fn id(&self) -> ([u8; 16], u64) {
        id(self.trace_id, self.span_id)
    }

    /// Of a notice: the id of the span that it announces.
    pub fn id_of_pending(&self) -> ([u8; 16], u64) {
        id(self.trace_id, if self.announces_parent { self.parent_span_id } else { self.span_id })
    }

    /// The value of one attribute by name: for what the operator's rules ask.
    pub fn attribute(&self, name: &[u8]) -> Result<Option<Scalar<'a>>, Malformed> {
        find(self.bytes, span::ATTRIBUTES, name)
    }

    /// The last exception event.
    pub fn exception(&self) -> Result<Option<Exception<'a>>, Malformed> {
        let mut found = None;
        let mut fields = Fields::of(self.bytes);
        while let Some(field) = fields.next()? {
            if field.number == span::EVENTS && is_exception(&field)? {
                let event = field.bytes()?;
                let read = |name| Ok(find(event, event::ATTRIBUTES, name)?.and_then(text).unwrap_or(b""));
                let (class, message) = (read(b"exception.type")?, read(b"exception.message")?);
                found = Some(Exception { class, message });
            }
        }
        Ok(found)
    }
}

fn id(trace_id: &[u8], span_id: &[u8]) -> ([u8; 16], u64) {
    (trace_id.try_into().unwrap_or_default(), span_id.try_into().map_or(0, u64::from_be_bytes))
}

fn is_exception(event: &Field<'_>) -> Result<bool, Malformed> {
    let mut name: &[u8] = b"";
    let mut fields = event.message()?;
    while let Some(field) = fields.next()? {
        if field.number == event::NAME {
            name = field.bytes()?;
        }
    }
    Ok(name == b"exception")
}

fn find<'a>(message: &'a [u8], attributes: u32, name: &[u8]) -> Result<Option<Scalar<'a>>, Malformed> {
    let mut found = None;
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next()? {
        if field.number == attributes {
            let (key, value) = otlp::attribute(&field)?;
            if key == name {
                found = Some(value);
            }
        }
    }
    Ok(found)
}

/// Cheap for the usual order, key before value; whoever writes the value first is read in full.
#[inline]
fn may_name_provider(attribute: &[u8]) -> Result<bool, Malformed> {
    const BEGIN: &[u8] = b"\x0a\x11spanmill.provider";
    Ok(match attribute {
        [0x0a, length, ..] if *length != BEGIN[1] => false,
        [0x0a, ..] => attribute.starts_with(BEGIN),
        _ => Attribute::read(attribute)?.key == &BEGIN[2..],
    })
}

fn bytes(number: u32, value: Value<'_>) -> Result<&[u8], Malformed> {
    match value {
        Value::Bytes(bytes) => Ok(bytes),
        _ => Err(Malformed::UnexpectedWireType(number)),
    }
}

fn varint(number: u32, value: Value<'_>) -> Result<u64, Malformed> {
    match value {
        Value::Varint(value) => Ok(value),
        _ => Err(Malformed::UnexpectedWireType(number)),
    }
}

fn fixed64(number: u32, value: Value<'_>) -> Result<u64, Malformed> {
    match value {
        Value::Fixed64(value) => Ok(value),
        _ => Err(Malformed::UnexpectedWireType(number)),
    }
}

/// Text that says something.
#[inline]
pub fn text(value: Scalar<'_>) -> Option<&[u8]> {
    match value {
        Scalar::Text(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

/// A number, also one that was written as text.
pub fn integer(value: Scalar<'_>) -> Option<i64> {
    match value {
        Scalar::Int(value) => Some(value),
        Scalar::Text(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        Scalar::Double(value) if value.fract() == 0.0 => Some(value as i64),
        _ => None,
    }
}

fn port(value: Scalar<'_>) -> Option<u16> {
    match value {
        Scalar::Text(text) => host::port(text),
        other => u16::try_from(integer(other)?).ok().filter(|&port| port > 0),
    }
}

/// What the roll-up needs of a resource, read once for all its spans.
#[derive(Debug, Clone, Copy, Default)]
pub struct Resource<'a> {
    pub service: Option<&'a [u8]>,
    pub host: Option<&'a [u8]>,
    pub environment: Ranked<&'a [u8]>,
}

impl<'a> Resource<'a> {
    /// Reads the resource of a `ResourceSpans` message, wherever in it that stands.
    pub fn read(resource_spans: &Field<'a>) -> Result<Resource<'a>, Malformed> {
        let mut found = Resource::default();
        let mut fields = resource_spans.message()?;
        while let Some(field) = fields.next()? {
            if field.number == otlp::resource_spans::RESOURCE {
                found.merge(&field)?;
            }
        }
        Ok(found)
    }

    fn merge(&mut self, resource: &Field<'a>) -> Result<(), Malformed> {
        let mut fields = resource.message()?;
        while let Some(field) = fields.next()? {
            if field.number == resource::ATTRIBUTES {
                match otlp::attribute(&field)? {
                    (b"service.name", value) => self.service = text(value),
                    (b"host.name", value) => self.host = text(value),
                    (b"deployment.environment.name", value) => self.environment.set(0, text(value)),
                    (b"deployment.environment", value) => self.environment.set(1, text(value)),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "span_tests.rs"]
mod tests;
