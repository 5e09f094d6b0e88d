//! Which names of keys are sensitive, as data; see [`names`](crate::names) for how they are compared.

use crate::names::Class;

/// Segments are separated by a space.
#[rustfmt::skip]
pub(crate) const NAMES: &[(Class, &[&str])] = &[
    (Class::Pan, &[
        "pan", "card number", "card num", "card no", "card nr", "credit card", "cc number", "cc num", "cc no",
        "ccn", "account pan", "primary account number", "dpan", "fpan", "primary account no", "card pan",
        "pan number", "pans", "card numbers", "card nums", "card nbr", "credit card no", "credit card num",
        "credit card number", "debit card number", "debit card", "primary account num", "full pan", "clear pan",
        "plain pan", "de 2", "de 02", "de 002",
    ]),
    (Class::Sad, &[
        "cvv", "cvv 2", "cvc", "cvc 2", "cvn", "cvn 2", "csc", "cid", "cav", "cav 2", "cvv code", "cvc code",
        "cvv 2 code", "cvc 2 code", "cvv number", "cvc number", "icvv", "dcvv", "card cid", "security code",
        "card code", "card security code", "card verification value", "verification value",
        "card verification code", "pin", "pin block", "pin data", "pin code", "encrypted pin", "epb", "track",
        "track 1", "track 2", "track 3", "track data", "track 1 data", "track 2 data", "track 3 data",
        "tracks", "track 2 equivalent data", "track 2 equivalent", "magstripe", "mag stripe",
        "magnetic stripe", "cavv", "aav", "aevv", "ucaf", "otp", "otp code", "one time password",
        "one time code", "sms code", "cvvs", "cvcs", "card cvv", "card cvc", "card cvv 2",
        "card cvc 2", "card pin", "card csc", "payment card cvv", "payment card cvc", "csc code", "cvd", "cvd code",
        "security codes", "pin blk", "pin number", "new pin", "old pin", "user pin", "pin verification value",
        "pvv", "track one", "track two", "track 1 discretionary data", "track 2 discretionary data",
        "discretionary data", "mag stripe data", "magstripe data", "magnetic stripe data",
        "authentication value", "de 35", "de 035", "de 36", "de 036", "de 45", "de 045", "de 52", "de 052",
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
        "credentials", "saml assertion", "client assertion", "saml response", "passwords", "passwds", "pwds",
        "passphrases", "pswd", "psw", "pword", "db password", "user password", "new password", "old password",
        "current password", "confirm password", "login password", "root password", "admin password",
        "merchant password", "terminal password", "pgpassword", "mysqlpwd", "db pwd", "user pwd", "keypass",
        "storepass", "user passwd", "access tokens", "refresh tokens", "api tokens", "auth tokens", "id tokens",
        "session tokens", "csrf token", "xsrf token", "csrfmiddlewaretoken", "oauth token", "oauth signature",
        "oauth token secret", "device token", "reset token", "authenticity token", "remember token",
        "sas token", "vault token", "security token", "api keys", "api secret", "api secret key", "app secret",
        "application secret", "consumer key", "consumer secret", "merchant key", "merchant secret",
        "terminal key", "terminal secret", "webhook secret", "webhook signature", "signing secret",
        "client secrets", "secret keys", "secret token", "private keys", "rsa private key", "ssh key",
        "license key", "signatures", "signature 256", "sign key", "hmac signature", "secure hash",
        "shared access signature", "session ids", "sessid", "session secret", "code verifier", "basic auth",
        "http basic auth", "encryption keys", "aws secret", "kms key material",
    ]),
    (Class::Header, &[
        "authorization", "proxy authorization", "x authorization", "cookie", "cookies", "set cookie", "x api key",
        "x auth token",
    ]),
    (Class::Label, &[
        "name", "key", "field", "param", "parameter", "header", "attribute", "property",
    ]),
    (Class::Number, &[
        "mid", "merchant id", "merchant number", "merchant no", "tid", "terminal id", "terminal number", "rrn",
        "stan", "arn", "acquirer reference number", "retrieval reference number", "reference number", "imei",
        "trace number", "batch number", "order id", "order number", "order no", "invoice id", "invoice number",
        "tracking number", "device id", "phone", "msisdn", "user id", "customer id", "account id",
    ]),
    (Class::Harmless, &[
        "page token", "next page token", "continuation token", "sync token", "message sid", "account sid",
        "cancellation token", "next token", "domain sid", "user sid", "page tokens",
    ]),
];
