use std::collections::BTreeMap;

use super::super::fixture::{exception, provider, span, status, texts, with_call};
use super::*;

fn decided(span: &opentelemetry_proto::tonic::trace::v1::Span, provider: Option<&Provider>) -> Verdict {
    with_call(span, |call| decide(&call, provider).unwrap())
}

#[test]
fn attributes_decide_the_outcome() {
    let check = |attributes: &str, want: &str| {
        assert_eq!(decided(&span(attributes), None).outcome.name(), want, "{attributes}");
    };
    // Explicit.
    for outcome in Outcome::ALL {
        check(&format!("spanmill.outcome={}", outcome.name()), outcome.name());
    }
    check("spanmill.outcome=DECLINED, http.response.status_code=#500", "declined");
    check("spanmill.outcome=ok, error.type=timeout", "ok");
    check("spanmill.outcome=whatever, http.response.status_code=#500", "failed");
    // HTTP, both generations, number or text.
    check("http.response.status_code=#200", "ok");
    check("http.response.status_code=#302", "ok");
    check("http.response.status_code=#400", "client_fault");
    check("http.response.status_code=#401", "client_fault");
    check("http.response.status_code=#408", "timeout");
    check("http.response.status_code=#429", "failed");
    check("http.response.status_code=#499", "client_fault");
    check("http.response.status_code=#500", "failed");
    check("http.response.status_code=#503", "failed");
    check("http.response.status_code=#504", "timeout");
    check("http.response.status_code=#599", "failed");
    check("http.status_code=#503", "failed");
    check("http.status_code=503", "failed");
    check("http.status_code=#503, http.response.status_code=#200", "ok");
    check("http.response.status_code=#0, error.type=28", "timeout");
    check("http.response.status_code=#200, error.type=timeout", "timeout");
    check("http.response.status_code=#404, error.type=404", "client_fault");
    // gRPC by number and by name.
    check("rpc.grpc.status_code=#0", "ok");
    check("rpc.grpc.status_code=#1", "cancelled");
    check("rpc.grpc.status_code=#2", "failed");
    check("rpc.grpc.status_code=#3", "client_fault");
    check("rpc.grpc.status_code=#4", "timeout");
    check("rpc.grpc.status_code=#5", "client_fault");
    check("rpc.grpc.status_code=#6", "client_fault");
    check("rpc.grpc.status_code=#7", "client_fault");
    check("rpc.grpc.status_code=#8", "failed");
    check("rpc.grpc.status_code=#9", "client_fault");
    check("rpc.grpc.status_code=#10", "failed");
    check("rpc.grpc.status_code=#11", "client_fault");
    check("rpc.grpc.status_code=#12", "failed");
    check("rpc.grpc.status_code=#13", "failed");
    check("rpc.grpc.status_code=#14", "failed");
    check("rpc.grpc.status_code=#15", "failed");
    check("rpc.grpc.status_code=#16", "client_fault");
    check("rpc.grpc.status_code=#99", "ok");
    check("rpc.grpc.status_code=14", "failed");
    check("rpc.response.status_code=DEADLINE_EXCEEDED", "timeout");
    check("rpc.status_code=DeadlineExceeded", "timeout");
    check("rpc.response.status_code=OK", "ok");
    // error.type: classes, class names, errno of curl, codes.
    check("error.type=timeout", "timeout");
    check("error.type=java.net.SocketTimeoutException", "timeout");
    check("error.type=context.deadlineExceededError", "timeout");
    check("error.type=ETIMEDOUT", "timeout");
    check("error.type=ECONNABORTED", "timeout");
    check("error.type=connect", "connect");
    check("error.type=dns", "connect");
    check("error.type=tls", "connect");
    check("error.type=java.net.ConnectException", "connect");
    check("error.type=java.net.UnknownHostException", "connect");
    check("error.type=org.apache.http.conn.ConnectTimeoutException", "connect");
    check("error.type=UND_ERR_CONNECT_TIMEOUT", "connect");
    check("error.type=ECONNREFUSED", "connect");
    check("error.type=ENOTFOUND", "connect");
    check("error.type=EAI_AGAIN", "connect");
    check("error.type=requests.exceptions.ConnectionError", "connect");
    check("error.type=GuzzleHttp\\Exception\\ConnectException", "connect");
    check("error.type=javax.net.ssl.SSLHandshakeException", "connect");
    check("error.type=x509.CertificateInvalidError", "connect");
    check("error.type=name_resolution_error", "connect");
    check("error.type=AbortError", "cancelled");
    check("error.type=java.util.concurrent.CancellationException", "cancelled");
    check("error.type=UNAVAILABLE", "failed");
    check("error.type=DEADLINE_EXCEEDED", "timeout");
    check("error.type=500", "failed");
    check("error.type=404", "client_fault");
    check("error.type=#504", "timeout");
    check("error.type=6", "connect");
    check("error.type=#7", "connect");
    check("error.type=28", "timeout");
    check("error.type=35", "connect");
    check("error.type=52", "failed");
    check("error.type=56", "failed");
    check("error.type=60", "connect");
    check("error.type=_OTHER", "failed");
    check("error.type=ResourceNotFoundException", "failed");
    check("error.type=DateTimeException", "failed");
    check("error.type=ConnectionResetError", "failed");
    check("error.type=std::io::ErrorKind::ConnectionAborted", "failed");
    check("error.type=", "ok");
    check("", "ok");
}

#[test]
fn status_and_exceptions_decide_where_no_attribute_does() {
    let check = |attributes: &str, code: i32, message: &str, exceptions: &[&str], want: (&str, Because)| {
        let mut span = span(attributes);
        span.status = status(code, message);
        span.events = exceptions.iter().map(|attributes| exception(attributes)).collect();
        let found = decided(&span, None);
        assert_eq!(
            (found.outcome.name(), found.because),
            want,
            "{attributes} {code} {message} {exceptions:?}"
        );
    };
    check("", 0, "", &[], ("ok", Because::NothingWrong));
    check("", 2, "", &[], ("failed", Because::Status));
    check(
        "",
        2,
        "cURL error 28: Operation timed out after 30001 ms",
        &[],
        ("timeout", Because::StatusMessage),
    );
    check("", 2, "curl error 6: Could not resolve host", &[], ("connect", Because::StatusMessage));
    check("", 1, "", &["exception.type=Boom"], ("ok", Because::Status));
    check("error.type=timeout", 1, "", &[], ("ok", Because::Status));
    check("http.response.status_code=#500", 1, "", &[], ("failed", Because::HttpStatus));
    check("http.response.status_code=#200", 2, "", &[], ("failed", Because::Status));
    check("http.response.status_code=#404", 2, "", &[], ("client_fault", Because::HttpStatus));
    check("", 2, "", &["exception.type=java.net.SocketTimeoutException"], ("timeout", Because::Exception));
    check("", 0, "", &["exception.type=java.net.SocketTimeoutException"], ("timeout", Because::Exception));
    check("", 0, "", &["exception.type=Boom"], ("failed", Because::Exception));
    // Recorded and got over: the call was answered.
    check("http.response.status_code=#200", 0, "", &["exception.type=Boom"], ("ok", Because::NothingWrong));
    check("rpc.grpc.status_code=#0", 0, "", &["exception.type=Boom"], ("ok", Because::NothingWrong));
    let guzzle = "exception.type=GuzzleHttp\\Exception\\ConnectException, exception.message=cURL error 28: Operation timed out";
    check("", 2, "", &[guzzle], ("timeout", Because::Exception));
    check("", 2, "", &["exception.type=A", "exception.type=ECONNREFUSED"], ("connect", Because::Exception));
}

#[test]
fn the_operators_rule_tells_declines_from_other_answers() {
    let rules = [("payment.code", &["05", "51"][..]), ("approved", &["false"])];
    let decline_when: BTreeMap<_, _> =
        rules.iter().map(|(attribute, values)| (attribute.to_string(), texts(values))).collect();
    let bank = Provider { decline_when, ..provider("bank") };
    let check = |attributes: &str, want: &str, is_business: bool| {
        let found = decided(&span(attributes), Some(&bank));
        assert_eq!((found.outcome.name(), found.because.is_business()), (want, is_business), "{attributes}");
    };
    check("payment.code=05", "declined", true);
    check("payment.code=#51", "declined", true);
    check("payment.code=00", "ok", true);
    check("approved=!false", "declined", true);
    check("approved=!true", "ok", true);
    check("http.response.status_code=#402, payment.code=51", "declined", true);
    check("http.response.status_code=#400, payment.code=99", "client_fault", true);
    check("http.response.status_code=#503, payment.code=51", "failed", false);
    check("error.type=timeout, payment.code=51", "timeout", false);
    check("spanmill.outcome=ok, payment.code=51", "ok", true);
    check("http.response.status_code=#200", "ok", false);
}
