//! What there is to scan: its kind is told by its first bytes, and it is read in pieces of bounded size.

use std::io::{self, Read};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use spanmill_proto::otlp::request;

use super::report::Report;
use super::{Error, span, text, unread};

/// Bytes that are looked at to tell the kind.
const HEAD: usize = 64 * 1024;

/// One OTLP/JSON document or line, or one message of protobuf. What is longer is looked through as text.
const PIECE_MAX: usize = 64 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// Each line an OTLP/JSON request, or anything else.
    JsonLines,
    /// One OTLP/JSON request over many lines.
    JsonDocument,
    Protobuf(Framing),
}

/// What stands before each request in a file of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Nothing: requests one after the other are one request.
    None,
    /// The length as a varint.
    Varint,
    /// The length as four bytes, largest first, as the OpenTelemetry collector's file exporter writes it.
    FourBytes,
}

/// Bytes that come from somewhere, some of them read ahead.
pub struct Input {
    reader: Box<dyn Read>,
    ahead: Vec<u8>,
    ended: bool,
}

impl Input {
    pub fn new(reader: Box<dyn Read>) -> Input {
        Input { reader, ahead: Vec::new(), ended: false }
    }

    /// Reads on until `window` has `wanted` bytes; `false` when the input ends before.
    pub fn fill(&mut self, window: &mut Vec<u8>, wanted: usize) -> io::Result<bool> {
        let missing = wanted.saturating_sub(window.len());
        self.look(missing)?;
        let take = missing.min(self.ahead.len());
        window.extend(self.ahead.drain(..take));
        Ok(take == missing)
    }

    /// Reads ahead until `wanted` bytes are there or the input ends.
    fn look(&mut self, wanted: usize) -> io::Result<()> {
        while self.ahead.len() < wanted && !self.ended {
            let missing = wanted - self.ahead.len();
            let read = (&mut self.reader).take(missing as u64).read_to_end(&mut self.ahead)?;
            self.ended = read < missing;
        }
        Ok(())
    }

    pub fn kind(&mut self) -> io::Result<Kind> {
        self.look(HEAD)?;
        let head = &self.ahead[..self.ahead.len().min(HEAD)];
        if head.trim_ascii_start().starts_with(b"{") {
            let is_otlp = memchr::memmem::find(head, b"\"resourceSpans\"").is_some();
            let line = head.split(|&b| b == b'\n').next().unwrap_or_default().trim_ascii();
            let whole_line = line.ends_with(b"}") || !head.contains(&b'\n');
            return Ok(match (is_otlp, whole_line) {
                (false, _) => Kind::Text,
                (true, true) => Kind::JsonLines,
                (true, false) => Kind::JsonDocument,
            });
        }
        let framing = [Framing::None, Framing::FourBytes, Framing::Varint];
        let framing = framing.into_iter().find(|framing| framing.fits(head));
        Ok(framing.map_or(Kind::Text, Kind::Protobuf))
    }

    /// Line by line; a line that is no request is text.
    pub fn json_lines(&mut self, report: &mut Report<'_>) -> Result<(), Error> {
        let mut number = 1;
        loop {
            let Some(end) = self.line_end().map_err(unread)? else {
                if self.ended {
                    return Ok(());
                }
                report.note(&format!(
                    "line {number} is longer than {PIECE_MAX} bytes, it and the rest are read as text"
                ));
                return text::scan_from(self, number, report);
            };
            let line: Vec<u8> = self.ahead.drain(..end).collect();
            match request_of(&line) {
                Some(request) => {
                    span::scan(&request, report)?;
                    report.advance(line.len() as u64);
                }
                None => text::scan_line(&line, number, report)?,
            }
            number += 1;
        }
    }

    /// Behind the next line; `None` when there is none, or it is too long.
    fn line_end(&mut self) -> io::Result<Option<usize>> {
        let mut seen = 0;
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.ahead[seen..]) {
                return Ok(Some(seen + at + 1));
            }
            seen = self.ahead.len();
            if self.ended || seen >= PIECE_MAX {
                return Ok((self.ended && seen > 0).then_some(seen));
            }
            self.look(seen + HEAD)?;
        }
    }

    pub fn json_document(&mut self, report: &mut Report<'_>) -> Result<(), Error> {
        self.look(PIECE_MAX + 1).map_err(unread)?;
        if self.ahead.len() <= PIECE_MAX {
            if let Some(request) = request_of(&self.ahead) {
                report.advance(self.ahead.len() as u64);
                return span::scan(&request, report);
            }
            report.note("it is not one OTLP/JSON request, and is read as text");
        } else {
            report.note(&format!("it is longer than {PIECE_MAX} bytes, and is read as text"));
        }
        text::scan(self, report)
    }

    /// Message by message: a request's `ResourceSpans` one at a time.
    pub fn protobuf(&mut self, framing: Framing, report: &mut Report<'_>) -> Result<(), Error> {
        while let Some((start, end)) = self.message(framing).map_err(unread)? {
            let piece: Vec<u8> = self.ahead.drain(..end).collect();
            // Without a frame, the tag and length before a message are its own.
            let request = if framing == Framing::None { &piece[..] } else { &piece[start..] };
            span::scan(request, report)?;
            report.advance(piece.len() as u64);
        }
        if self.ahead.is_empty() {
            return Ok(());
        }
        report.note("the rest is no OTLP, and is read as text");
        text::scan(self, report)
    }

    /// Where the next message starts and ends in what was read ahead.
    fn message(&mut self, framing: Framing) -> io::Result<Option<(usize, usize)>> {
        self.look(16)?;
        let Some((start, len)) = framing.length(&self.ahead) else { return Ok(None) };
        if len > PIECE_MAX {
            return Ok(None);
        }
        self.look(start + len)?;
        Ok((self.ahead.len() >= start + len).then_some((start, start + len)))
    }
}

impl Framing {
    /// Where the message starts and how long it is.
    fn length(self, bytes: &[u8]) -> Option<(usize, usize)> {
        match self {
            Framing::None => {
                let rest = bytes.strip_prefix(&[REQUEST_TAG])?;
                let (len, length) = varint(rest)?;
                Some((1 + len, length))
            }
            Framing::Varint => varint(bytes),
            Framing::FourBytes => {
                let length = u32::from_be_bytes(*bytes.first_chunk::<4>()?);
                Some((4, length as usize))
            }
        }
    }

    /// Whether the first message stands where this framing says, and looks like one.
    fn fits(self, head: &[u8]) -> bool {
        let Some((start, len)) = self.length(head) else { return false };
        let Some(message) = head.get(start..) else { return false };
        let message = &message[..message.len().min(len)];
        if len == 0 || len > PIECE_MAX || message.is_empty() || head.len() < HEAD && start + len > head.len()
        {
            return false;
        }
        let resource_spans = match self {
            Framing::None => message,
            _ => match Framing::None.length(message) {
                Some((inner, inner_len)) if inner + inner_len <= len => &message[inner..],
                _ => return false,
            },
        };
        // A resource, spans of a scope, or a schema's address.
        matches!(resource_spans.first(), Some(0x0a | 0x12 | 0x1a))
    }
}

/// Field 1 of a request, with a length.
const REQUEST_TAG: u8 = (request::RESOURCE_SPANS << 3 | 2) as u8;

/// The bytes that the varint takes, and its value.
fn varint(bytes: &[u8]) -> Option<(usize, usize)> {
    let len = bytes.iter().take(5).position(|&b| b & 0x80 == 0)? + 1;
    let value = bytes[..len].iter().rev().fold(0_u64, |value, &b| value << 7 | u64::from(b & 0x7f));
    Some((len, usize::try_from(value).ok()?))
}

/// The protobuf form of an OTLP/JSON request.
fn request_of(json: &[u8]) -> Option<Vec<u8>> {
    let text = json.trim_ascii();
    if !text.starts_with(b"{") || memchr::memmem::find(text, b"\"resourceSpans\"").is_none() {
        return None;
    }
    let request: ExportTraceServiceRequest = serde_json::from_slice(text).ok()?;
    Some(request.encode_to_vec())
}
