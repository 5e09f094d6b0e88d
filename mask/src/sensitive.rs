//! Which names of keys are sensitive, as data; see [`names`](crate::names) for how they are compared.

use crate::names::Class;

/// Segments are separated by a space.
#[rustfmt::skip]
pub(crate) const NAMES: &[(Class, &[&str])] = &[
    (Class::Pan, &[
        "pan", "card number", "card num", "card no", "card nr", "credit card", "cc number", "cc num", "cc no",
        "ccn", "account pan", "primary account number", "dpan", "fpan", "primary account no", "card pan",
        "pan number",
    ]),
    (Class::Sad, &[
        "cvv", "cvv 2", "cvc", "cvc 2", "cvn", "cvn 2", "csc", "cid", "cav", "cav 2", "cvv code", "cvc code",
        "cvv 2 code", "cvc 2 code", "cvv number", "cvc number", "icvv", "dcvv", "card cid", "security code",
        "card code", "card security code", "card verification value", "verification value",
        "card verification code", "pin", "pin block", "pin data", "pin code", "encrypted pin", "epb", "track",
        "track 1", "track 2", "track 3", "track data", "track 1 data", "track 2 data", "track 3 data",
        "tracks", "track 2 equivalent data", "track 2 equivalent", "magstripe", "mag stripe",
        "magnetic stripe", "cavv", "aav", "aevv", "ucaf", "otp", "otp code", "one time password",
        "one time code", "sms code",
    ]),
    (Class::Credential, &[
        "password", "passwd", "passwort", "pwd", "pass", "passphrase", "passcode", "password hash",
        "password confirmation", "password confirm", "password repeat", "db pass", "user pass", "secret",
        "secrets", "secret key", "client secret", "shared secret", "secret access key", "secret value",
        "shop secret", "token", "access token", "refresh token", "auth token", "id token", "api token",
        "bearer token", "jwt", "bearer", "csrf", "xsrf", "token value", "token secret", "api key", "app key",
        "application key", "access key", "access key id", "auth key", "account key", "shared access key",
        "private key", "signing key", "encryption key", "master key", "hmac key", "session key",
        "service key", "subscription key", "signature", "sig", "hmac", "x amz security token",
        "x amz signature", "x amz credential", "x goog signature", "session id", "sess id", "session token",
        "phpsessid", "jsessionid", "sid", "aspsessionid", "session cookie", "connect sid", "credential",
        "credentials", "saml assertion", "client assertion", "saml response",
    ]),
    (Class::Header, &[
        "authorization", "proxy authorization", "cookie", "cookies", "set cookie", "x api key",
        "x auth token",
    ]),
    (Class::Label, &[
        "name", "key", "field", "param", "parameter", "header", "attribute", "property",
    ]),
    (Class::Harmless, &[
        "page token", "next page token", "continuation token", "sync token", "message sid", "account sid",
        "cancellation token", "next token", "domain sid", "user sid",
    ]),
];
