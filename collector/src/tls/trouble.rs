//! What went wrong with TLS, as a sentence that names the fix.

use std::io;

use rustls::{AlertDescription as Alert, CertificateError as Bad, Error};

/// The sentence for an error of a handshake or of what follows it: with TLS 1.3 a server refuses our certificate
/// only then.
pub fn explain(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(error) => sentence(error),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the peer closed the connection during the handshake; does it speak TLS there, and trust our \
             certificate?"
                .to_owned()
        }
        None => error.to_string(),
    }
}

fn sentence(error: &Error) -> String {
    let fix = match error {
        Error::InvalidCertificate(bad) => of_certificate(bad),
        Error::AlertReceived(alert) => of_alert(*alert),
        Error::NoCertificatesPresented => {
            "the peer has no certificate, and client_ca_file asks for one; give it one of that CA"
        }
        Error::InvalidMessage(_) => "the peer does not speak TLS; use http:// for a port without TLS",
        Error::NoApplicationProtocol => "the peer speaks neither HTTP/2 nor HTTP/1.1 there; check the port",
        _ => "check the certificates of both sides",
    };
    format!("{error}; {fix}")
}

fn of_certificate(bad: &Bad) -> &'static str {
    match bad {
        Bad::Expired | Bad::ExpiredContext { .. } => {
            "the peer's certificate has expired: renew it there, and check this host's clock"
        }
        Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
            "the peer's certificate is not valid yet: check the clocks of both hosts"
        }
        // The signature is wrong where two authorities have one name.
        Bad::UnknownIssuer | Bad::BadSignature => {
            "the peer's certificate is of a CA that is not trusted here: put that CA into ca_file \
             (client_ca_file of a listener)"
        }
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
            "the peer's certificate has another name: use that name in the address, or set server_name"
        }
        _ => "the peer's certificate cannot be used: renew it there",
    }
}

fn of_alert(alert: Alert) -> &'static str {
    match alert {
        Alert::CertificateRequired | Alert::HandshakeFailure => {
            "the peer may want a certificate of ours: set cert_file and key_file"
        }
        Alert::UnknownCA | Alert::BadCertificate | Alert::CertificateUnknown | Alert::AccessDenied => {
            "the peer does not accept our certificate: is it of a CA that it trusts?"
        }
        Alert::CertificateExpired => "our certificate has expired: renew the files",
        Alert::NoApplicationProtocol => {
            "the peer does not speak this protocol there: check port and protocol"
        }
        _ => "the peer ended the handshake; its log may say why",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trouble_has_its_fix() {
        let check = |error: Error, wanted: &str| {
            let text = explain(&io::Error::new(io::ErrorKind::InvalidData, error));
            assert!(text.contains(wanted), "{text}");
        };
        check(Error::InvalidCertificate(Bad::Expired), "renew");
        check(Error::InvalidCertificate(Bad::UnknownIssuer), "ca_file");
        check(Error::InvalidCertificate(Bad::NotValidForName), "server_name");
        check(Error::AlertReceived(Alert::CertificateRequired), "cert_file");
        check(Error::AlertReceived(Alert::UnknownCA), "trusts");
        assert!(explain(&io::ErrorKind::UnexpectedEof.into()).contains("speak TLS"));
    }
}
