//! One HTTP POST to a receiver, on a connection of its own: calls are rare, and an idle one may be dead.

use std::path::Path;
use std::time::Duration;

use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderName, HeaderValue, Request, StatusCode};
use ring::hmac;

use super::channel::{Answer, Call};
use super::{Target, TargetKind};
use crate::dial::Pieces;

/// From the connection to the answer's head. Receivers of alerts queue them and answer at once.
const TIMEOUT: Duration = Duration::from_secs(10);
/// `t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`
const SIGNATURE: HeaderName = HeaderName::from_static("spanmill-signature");

/// Makes one call; the error says why nobody answered.
pub async fn post(target: &Target, call: Call, now_ns: u64) -> Result<Answer, String> {
    let mut request = Request::post(target.server.uri(target.path.clone()));
    let headers = request.headers_mut().expect("an address of ours is one");
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("spanmill/", env!("CARGO_PKG_VERSION"))));
    headers.extend(call.headers);
    headers.extend(target.headers.iter().cloned());
    if let TargetKind::Webhook { secret_file: Some(file) } = &target.kind {
        headers.insert(SIGNATURE, signature(&secret(file)?, &call.body, now_ns / 1_000_000_000));
    }
    let request = request.body(vec![call.body].into()).expect("every part of it is valid");
    match tokio::time::timeout(TIMEOUT, exchange(target, request)).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer within {TIMEOUT:?}")),
    }
}

async fn exchange(target: &Target, request: Request<Pieces>) -> Result<Answer, String> {
    let mut connection = target.server.connect().await?;
    let answer = connection.send(request).await.map_err(|unanswered| unanswered.reason)?;
    Ok(judge(answer.status(), answer.headers().contains_key(RETRY_AFTER)))
}

/// A call that cannot be understood will not be understood tomorrow; all else may be put right, also a wrong
/// address or secret.
fn judge(status: StatusCode, come_back: bool) -> Answer {
    let never = [
        StatusCode::BAD_REQUEST,
        StatusCode::PAYLOAD_TOO_LARGE,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        StatusCode::UNPROCESSABLE_ENTITY,
    ];
    match status {
        status if status.is_success() => Answer::Taken,
        status if never.contains(&status) && !come_back => Answer::Refused(format!("HTTP {status}")),
        status => Answer::Failed(format!("HTTP {status}")),
    }
}

/// Read for each call, so that a secret is changed by changing the file.
fn secret(file: &Path) -> Result<Vec<u8>, String> {
    let text = std::fs::read(file).map_err(|error| format!("secret_file {}: {error}", file.display()))?;
    let secret = text.trim_ascii();
    if secret.is_empty() {
        return Err(format!("secret_file {} is empty", file.display()));
    }
    Ok(secret.to_vec())
}

fn signature(secret: &[u8], body: &[u8], unix_s: u64) -> HeaderValue {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret));
    context.update(format!("{unix_s}.").as_bytes());
    context.update(body);
    let hex: String = context.sign().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::try_from(format!("t={unix_s},v1={hex}")).expect("digits and hex are ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_openssl_makes_of_time_and_body() {
        // printf '1795378503.{"version":1}' | openssl dgst -sha256 -hmac secret
        let want = "t=1795378503,v1=14afc2741cce1f01af91b39c792f9da25efc70519c6d8ffc9621a3545f8fa353";
        assert_eq!(signature(b"secret", br#"{"version":1}"#, 1_795_378_503), want);
    }

    #[test]
    fn only_what_can_never_be_understood_is_given_up() {
        let judge = |status: u16, come_back| judge(StatusCode::from_u16(status).unwrap(), come_back);
        assert_eq!((judge(200, false), judge(204, false)), (Answer::Taken, Answer::Taken));
        for status in [400, 413, 415, 422] {
            assert!(matches!(judge(status, false), Answer::Refused(_)), "{status}");
        }
        for (status, come_back) in
            [(301, false), (401, false), (404, false), (429, false), (503, true), (400, true)]
        {
            assert!(matches!(judge(status, come_back), Answer::Failed(_)), "{status}");
        }
    }
}
