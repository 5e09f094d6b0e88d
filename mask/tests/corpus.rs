//! A labelled corpus by category: every key and value in every shape. Nothing leaks, and nothing else changes.

use spanmill_mask::{Key, Masker, Report, Rule};

/// Keys as different code bases write them.
const KEYS: &[&str] = &[
    "password",
    "Password",
    "PASSWORD",
    "db_password",
    "userPassword",
    "client_secret",
    "clientSecret",
    "apiKey",
    "api_key",
    "API_KEY",
    "x-api-token",
    "access_token",
    "accessToken",
    "refresh_token",
    "private_key",
    "secret",
    "sessionId",
    "session_id",
    "PHPSESSID",
    "signature",
];

/// Keys of sensitive authentication data: values hold digits.
const CODE_KEYS: &[&str] = &[
    "cvv",
    "CVV2",
    "cvc",
    "card_cvv",
    "cardCvv",
    "securityCode",
    "security_code",
    "pin",
    "pinBlock",
    "otp",
    "card.cid",
];

const PLAIN_VALUES: &[&str] = &[
    "hunter2",
    "S3cr3tV4lue",
    "aGVsbG8td29ybGQ_x",
    "9f86d081884c7d659a2feaa0c55ad015",
    "p4ss.word-1_x~y",
    "correcthorse",
];

/// What people put into passwords; only where quotes or tags tell where the value ends.
const WILD_VALUES: &[&str] =
    &["p@ss w0rd!", "a&b=c;d,e", "x{y}z[1](2)", "ümläut-пароль", "100%sure?", "a:b@c/d", "-dash -x"];

const CODES: &[&str] = &["123", "0007", "987654"];

/// Shapes in which quotes or tags surround the value.
const ENCLOSED: &[&str] = &[
    r#"{"{k}":"{v}"}"#,
    r#"{"a":1,"{k}": "{v}", "b":"c"}"#,
    r#"{"a":{"b":[{"{k}":"{v}"}]},"z":null}"#,
    r#"{"body":"{\"{k}\":\"{v}\",\"n\":1}"}"#,
    r#"{"b":"{\"b\":\"{\\\"{k}\\\":\\\"{v}\\\"}\"}","n":2}"#,
    "{\n  \"{k}\" :\n    \"{v}\"\n}",
    r#"{"name":"{k}","value":"{v}"}"#,
    "{'{k}': '{v}', 'n': 1}",
    "{'{k}': b'{v}', 'n': 1}",
    "array (\n  '{k}' => '{v}',\n  'n' => 1,\n)",
    "[\"{k}\"]=>\n  string(9) \"{v}\"\n  [\"n\"]=>",
    "[\"{k}\":\"App\\Card\":private]=>\n  string(9) \"{v}\"\n",
    "[\"{k}\":protected]=>\n  string(9) \"{v}\"\n",
    "{:{k}=>\"{v}\", :n=>1}",
    "{\"{k}\" => \"{v}\", \"n\" => 1}",
    "Config { {k}: \"{v}\", n: 1 }",
    "Config { {k}: Some(\"{v}\"), n: 1 }",
    "Config({k}='{v}', n=1)",
    "<r><{k}>{v}</{k}><n>1</n></r>",
    "<r><ns:{k} a=\"1\">{v}</ns:{k}></r>",
    "<r><{k}><![CDATA[{v}]]></{k}></r>",
    "<r {k}=\"{v}\" n=\"1\"/>",
    "<param name=\"{k}\" value=\"{v}\"/>",
    "<entry key=\"{k}\">{v}</entry><n/>",
    "--x\r\nContent-Disposition: form-data; name=\"{k}\"\r\n\r\n{v}\r\n--x--\r\n",
    "tool --{k} \"{v}\" --verbose",
    "tool --{k}='{v}' --verbose",
    "[\"tool\", \"--{k}\", \"{v}\", \"-v\"]",
    "level=info {k}=\"{v}\" n=1",
    "UPDATE t SET {k} = '{v}' WHERE n = 1",
    "export {k}=\"{v}\"\n",
    "Array\n(\n    [{k}] => {v}\n    [n] => 1\n)\n",
    "Object\n(\n    [{k}:protected] => {v}\n    [n] => 1\n)\n",
    "Object\n(\n    [{k}:App\\Card:private] => {v}\n    [n] => 1\n)\n",
];

/// Shapes in which the value ends at a space or at a sign that the shape gives a meaning.
const BARE: &[&str] = &[
    "{k}={v}",
    "a=1&{k}={v}&b=2",
    "https://shop.example/cb?{k}={v}&state=1",
    "https://shop.example/cb?state=1&{k}={v}#top",
    "card[{k}]={v}&n=1",
    "card%5B{k}%5D={v}&n=1",
    "level=info {k}={v} n=1",
    "{k}: {v}\nn: 1\n",
    "{k}: {v}, n: 1",
    "Config { {k}: {v}, n: 1 }",
    "&{N:1 {k}:{v} M:2}",
    "map[{k}:{v} n:1]",
    "Config{{k}={v}, n=1}",
    "Config({k}={v}, n=1)",
    "tool --{k} {v} --verbose",
    "tool --{k}={v} --verbose",
    "Server=db;{k}={v};Encrypt=true",
    "{k} = {v}\n",
    "{k}:={v}\n",
    r#"{"log":"sent {k}={v}\nok"}"#,
    r#"{"log":"sent {k}={v}"}"#,
    "<m>sent {k}={v}</m>",
];

/// Shapes of JSON in which a number becomes a string.
const NUMBERS: &[(&str, &str)] = &[
    (r#"{"{k}":{v}}"#, r#"{"{k}":"[masked]"}"#),
    (r#"{"{k}": {v} , "n":1}"#, r#"{"{k}": "[masked]" , "n":1}"#),
    (r#"{"b":"{\"{k}\":{v},\"n\":1}"}"#, r#"{"b":"{\"{k}\":\"[masked]\",\"n\":1}"}"#),
    (r#"{"{k}":[{v},null]}"#, r#"{"{k}":["[masked]",null]}"#),
    ("[\"{k}\"]=>\n  int({v})\n", "[\"{k}\"]=>\n  int([masked])\n"),
    ("Card { {k}: Some({v}), n: 1 }", "Card { {k}: Some([masked]), n: 1 }"),
    ("{'{k}': {v}, 'n': 1}", "{'{k}': [masked], 'n': 1}"),
];

/// Real and near texts without a secret.
const CLEAN: &[&str] = &[
    r#"{"cvvResult":"M","avsResult":"Y","authCode":"A12345","rrn":"632512345678","stan":"001234"}"#,
    r#"{"token_type":"bearer","expires_in":3600,"scope":"read write","max_tokens":4096}"#,
    r#"{"author":"Jane","passenger":"Joe","shipping":"express","compass":"N","pinned":true,"spinner":1}"#,
    r#"{"bin":"411111","last4":"1111","brand":"visa","exp_month":12,"exp_year":2027}"#,
    r#"{"password":null,"token":"","secret":false,"cvv":"***","pin":"[masked]","api_key":"[REDACTED]"}"#,
    r#"{"ts":1763843523123,"us":1763843523123456,"ns":1763843523123456789,"id":"4bf92f3577b34da6a3ce929d0e0e4736"}"#,
    r#"{"ean":"4006381333931","imei":"490154203237518","phone":"+49 151 23456789","zip":"10115"}"#,
    r#"{"name":"cvvResult","value":"M"}"#,
    r#"{"lat":52.5200066000000000,"lon":13.4049540000000000,"ratio":0.4111111111111111}"#,
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "GET /v2/payments/pay_3MtwBwLkdIwHu7ix28a3tqPa?expand=customer&limit=100 HTTP/1.1",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "SELECT id, pan_last4 FROM cards WHERE created_at > '2026-11-22 20:15:03' AND merchant_id = 12345678 LIMIT 50",
    "INSERT INTO t (a, b) VALUES (?, ?) ON CONFLICT (a) DO UPDATE SET b = excluded.b",
    "550e8400-e29b-41d4-a716-446655440000 12345678-1234-1234-1234-123456789012",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "at App\\Http\\Kernel->handle(Object(Request)) in /srv/app/Kernel.php:123",
    "Error: connect ETIMEDOUT 10.0.0.1:443 after 30000 ms (attempt 3 of 5)",
    "WWW-Authenticate: Bearer realm=\"shop\", error=\"invalid_request\"",
    "Content-Type: application/json; charset=utf-8\r\nContent-Length: 1234\r\n",
    "order 2204-1234 of 2026-11-22, 12 items, 1 234,56 EUR, tracking 1Z999AA10123456784",
    "std::token::Bracket, Option<Token>, a == b, x != y, if (pin) {}",
    "Basic usage: see the docs; bearer bonds; basic authentication is off",
    "использован ключ: нет; пароль не задан, токен истёк",
    "git@github.com:org/repo.git ssh://git@host/x icon@2x.png user@localhost",
    "redirect=https%3A%2F%2Fshop.example%2Fpay%3Fid%3D12%26x%3Dy&n=1",
    "version 4.1111.1111.1111 and 5555.5555 and 4111 1111",
    "https://maps.example/@52.5200066,13.4049540,15z/data=!3m1!4b1",
    "arn:aws:iam::123456789012:role/admin s3://bucket/key.txt",
    "key=value name=x id=5 field=y header=z param=1",
];

fn masked(masker: &Masker, text: &str) -> Option<String> {
    let mut report = Report::default();
    let masked = masker.text(Key::Plain, text.as_bytes(), &mut report)?;
    assert_eq!(report.hits[Rule::Error as usize], 0, "a rule panicked: {text}");
    Some(String::from_utf8_lossy(&masked).into_owned())
}

fn fill(shape: &str, key: &str, value: &str) -> String {
    shape.replace("{k}", key).replace("{v}", value)
}

/// Every case, and all that went wrong at once: a single failure seldom tells what is wrong with a rule.
fn check(cases: impl Iterator<Item = (String, String)>) {
    let masker = Masker::standard();
    let mut wrong = Vec::new();
    let mut count = 0;
    for (text, want) in cases {
        count += 1;
        let got = masked(&masker, &text).unwrap_or_else(|| text.clone());
        if got != want {
            wrong.push(format!("{text}\n   want {want}\n   got  {got}"));
        } else if let Some(again) = masked(&masker, &want) {
            wrong.push(format!("{text}\n   twice {again}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn every<'a>(
    shapes: &'a [&'a str],
    keys: &'a [&'a str],
    values: &'a [&'a str],
) -> impl Iterator<Item = (String, String)> + 'a {
    let pairs = move |shape: &'a str| {
        keys.iter().flat_map(move |key| values.iter().map(move |value| (shape, *key, *value)))
    };
    shapes
        .iter()
        .flat_map(move |shape| pairs(shape))
        .filter(|(shape, _, value)| fits(shape, value))
        .map(|(shape, key, value)| (fill(shape, key, value), fill(shape, key, "[masked]")))
}

/// Whether `value` can stand in `shape` as it is, without being escaped.
fn fits(shape: &str, value: &str) -> bool {
    !(shape.starts_with('<') && value.contains('&'))
}

#[test]
fn credentials_in_quotes_and_tags() {
    check(every(ENCLOSED, KEYS, PLAIN_VALUES).chain(every(ENCLOSED, KEYS, WILD_VALUES)));
}

#[test]
fn bare_credentials() {
    check(every(BARE, KEYS, PLAIN_VALUES));
}

#[test]
fn authentication_data_in_every_shape() {
    check(every(ENCLOSED, CODE_KEYS, CODES).chain(every(BARE, CODE_KEYS, CODES)));
}

#[test]
fn numbers_become_strings_where_json_needs_it() {
    check(NUMBERS.iter().flat_map(|(shape, want)| {
        CODE_KEYS.iter().flat_map(move |key| {
            CODES.iter().map(move |code| (fill(shape, key, code), fill(want, key, code)))
        })
    }));
}

#[test]
fn card_numbers_in_every_shape() {
    let cards = [
        ("4111111111111111", "411111******1111"),
        ("378282246310005", "378282*****0005"),
        ("5105105105105100", "510510******5100"),
    ];
    let mut cases = Vec::new();
    for shape in ENCLOSED.iter().chain(BARE) {
        for key in ["n", "text", "pan", "cardNumber", "card_number", "account"] {
            cases.extend(cards.map(|(card, want)| (fill(shape, key, card), fill(shape, key, want))));
        }
    }
    check(cases.into_iter());
}

#[test]
fn clean_texts_stay() {
    check(CLEAN.iter().map(|text| ((*text).to_owned(), (*text).to_owned())));
}
