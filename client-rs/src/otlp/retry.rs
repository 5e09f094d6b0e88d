//! Whether and when a request that failed is sent again, after the OTLP specification.

use std::time::Duration;

use spanmill_proto::grpc::Code;
use spanmill_proto::wire::{Fields, Malformed, Value};
use tonic::Status;

/// Tries of one request.
const TRIES_MAX: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How long to wait before try number `tries + 1`; `None` to give up. `random` is any number, for jitter.
pub(super) fn wait(status: &Status, tries: u32, random: u64) -> Option<Duration> {
    let code = Code::parse(&(status.code() as i32).to_string());
    let asked = retry_delay(status.details()).unwrap_or_default();
    let is_retryable = code.is_retryable() || (code == Code::ResourceExhausted && asked.is_some());
    if tries >= TRIES_MAX || !is_retryable {
        return None;
    }
    let backed_off = FIRST_WAIT * 2u32.saturating_pow(tries.saturating_sub(1));
    // Up to a half more, so that the processes that lost a receiver together do not come back together.
    let wait = backed_off.mul_f64(1.0 + (random % 512) as f64 / 1024.0);
    Some(wait.max(asked.unwrap_or_default()).min(LONGEST_WAIT))
}

/// The delay of a `google.rpc.RetryInfo` in the details of a status.
fn retry_delay(details: &[u8]) -> Result<Option<Duration>, Malformed> {
    const DETAILS: u32 = 3;
    const TYPE_URL: u32 = 1;
    const VALUE: u32 = 2;
    const RETRY_DELAY: u32 = 1;
    let mut fields = Fields::of(details);
    while let Some(field) = fields.next()? {
        if field.number != DETAILS {
            continue;
        }
        let (mut is_retry_info, mut value) = (false, None);
        let mut any = field.message()?;
        while let Some(field) = any.next()? {
            match field.number {
                TYPE_URL => is_retry_info = field.bytes()?.ends_with(b"google.rpc.RetryInfo"),
                VALUE => value = Some(field.message()?),
                _ => {}
            }
        }
        let Some(mut info) = value.filter(|_| is_retry_info) else { continue };
        while let Some(field) = info.next()? {
            if field.number == RETRY_DELAY {
                return duration(field.message()?).map(Some);
            }
        }
    }
    Ok(None)
}

/// A `google.protobuf.Duration`; what is negative is none.
fn duration(mut fields: Fields<'_>) -> Result<Duration, Malformed> {
    let (mut seconds, mut nanos) = (0, 0);
    while let Some(field) = fields.next()? {
        match (field.number, field.value) {
            (1, Value::Varint(value)) => seconds = i64::max(value as i64, 0) as u64,
            (2, Value::Varint(value)) => nanos = value.min(999_999_999) as u32,
            _ => {}
        }
    }
    Ok(Duration::new(seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;
    use spanmill_proto::wire;
    use tonic::Code as TonicCode;

    fn with_delay(seconds: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let any = wire::open(&mut out, 3);
        wire::put_bytes(&mut out, 1, b"type.googleapis.com/google.rpc.RetryInfo");
        let info = wire::open(&mut out, 2);
        let delay = wire::open(&mut out, 1);
        wire::put_uint(&mut out, 1, seconds);
        wire::close(&mut out, delay);
        wire::close(&mut out, info);
        wire::close(&mut out, any);
        out
    }

    #[test]
    fn what_may_pass_is_tried_again_five_times() {
        let status = Status::unavailable("away");
        let waits: Vec<_> =
            (1..10).map_while(|tries| wait(&status, tries, 0)).map(|wait| wait.as_millis()).collect();
        assert_eq!(waits, [200, 400, 800, 1600]);
        assert!(wait(&status, 1, 511).unwrap() < FIRST_WAIT * 2);
    }

    #[test]
    fn what_will_not_pass_is_given_up() {
        for status in
            [Status::invalid_argument("bad"), Status::unauthenticated("who"), Status::unimplemented("no")]
        {
            assert_eq!(wait(&status, 1, 0), None);
        }
        assert_eq!(wait(&Status::resource_exhausted("full"), 1, 0), None, "it does not say when");
    }

    #[test]
    fn the_receiver_says_when() {
        let full =
            |seconds| Status::with_details(TonicCode::ResourceExhausted, "", with_delay(seconds).into());
        assert_eq!(wait(&full(3), 1, 0), Some(Duration::from_secs(3)));
        assert_eq!(wait(&full(1 << 40), 1, 0), Some(LONGEST_WAIT));
        assert_eq!(
            wait(&Status::with_details(TonicCode::Unavailable, "", vec![7].into()), 1, 0),
            Some(FIRST_WAIT)
        );
    }
}
