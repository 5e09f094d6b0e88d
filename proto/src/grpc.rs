//! gRPC over HTTP/2 as far as unary OTLP calls need it: the five-byte message prefix, status codes and the
//! percent-encoded `grpc-message`. After the gRPC HTTP/2 protocol description.

/// Path of the one method of OTLP/gRPC for traces.
pub const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Bytes before each message: one compression flag, then the length in network order.
pub const PREFIX: usize = 5;

/// Status codes that we send or act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

impl Code {
    /// The code of a `grpc-status` header; what is not a known number is `Unknown`.
    pub fn parse(header: &str) -> Code {
        use Code::*;
        let known = [
            Ok,
            Cancelled,
            Unknown,
            InvalidArgument,
            DeadlineExceeded,
            NotFound,
            PermissionDenied,
            ResourceExhausted,
            FailedPrecondition,
            Aborted,
            OutOfRange,
            Unimplemented,
            Internal,
            Unavailable,
            DataLoss,
            Unauthenticated,
        ];
        let number = header.parse::<u8>().unwrap_or(Unknown as u8);
        known.into_iter().find(|code| *code as u8 == number).unwrap_or(Unknown)
    }

    /// Whether OTLP tells a client to try the same request again (OTLP specification, "Failures").
    /// RESOURCE_EXHAUSTED is retryable only when the answer says when.
    pub fn is_retryable(self) -> bool {
        use Code::*;
        matches!(self, Cancelled | DeadlineExceeded | Aborted | OutOfRange | Unavailable | DataLoss)
    }
}

/// The prefix of a message of `length` bytes.
pub fn prefix(compressed: bool, length: u32) -> [u8; PREFIX] {
    let [a, b, c, d] = length.to_be_bytes();
    [u8::from(compressed), a, b, c, d]
}

/// Reads a prefix: whether the message is compressed, and its length.
pub fn parse_prefix(prefix: [u8; PREFIX]) -> (bool, u32) {
    let [flag, length @ ..] = prefix;
    (flag != 0, u32::from_be_bytes(length))
}

/// `text` as the value of a `grpc-message` header: ASCII, percent-encoded.
pub fn encode_message(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(byte as char),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The text of a `grpc-message` header; what is not valid percent-encoding stays as it is.
pub fn decode_message(header: &str) -> String {
    let bytes = header.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        out.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_the_header() {
        for text in ["plain", "100 % größe\nsecond line", ""] {
            let header = encode_message(text);
            assert!(header.is_ascii() && !header.contains('\n'));
            assert_eq!(decode_message(&header), text);
        }
        assert_eq!(decode_message("50%"), "50%");
    }

    #[test]
    fn an_unknown_status_is_not_taken_for_success() {
        assert_eq!(Code::parse("0"), Code::Ok);
        assert_eq!(Code::parse("14"), Code::Unavailable);
        assert_eq!(Code::parse("99"), Code::Unknown);
        assert_eq!(Code::parse("x"), Code::Unknown);
    }
}
