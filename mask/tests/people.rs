//! Shapes that people write and that no grammar lists, each found by trying to get a secret through.

use spanmill_mask::{Key, Masker, Report};

fn masked(text: &str) -> Option<String> {
    let masked = Masker::standard().text(Key::Plain, text.as_bytes(), &mut Report::default())?;
    Some(String::from_utf8_lossy(&masked).into_owned())
}

#[track_caller]
fn check(text: &str, want: &str) {
    assert_eq!(masked(text).as_deref(), Some(want), "{text}");
    assert_eq!(masked(want), None, "masking twice: {want}");
}

#[track_caller]
fn check_clean(text: &str) {
    assert_eq!(masked(text), None, "{text}");
}

#[test]
fn pairs_in_lists() {
    check(r#"[["cvv","123"],["x","y"]]"#, r#"[["cvv","[masked]"],["x","y"]]"#);
    check(
        r#"{"h":[["host","x"],["authorization","abc"]]}"#,
        r#"{"h":[["host","x"],["authorization","[masked]"]]}"#,
    );
    check("[('cvv', '123'), ('x', 'y')]", "[('cvv', '[masked]'), ('x', 'y')]");
    check("(b'authorization', b'Token abc1')", "(b'authorization', b'[masked]')");
    check(r#"("password", "S3cret")"#, r#"("password", "[masked]")"#);
    check(r#"{"b":"[[\"pin\", 1234]]"}"#, r#"{"b":"[[\"pin\", \"[masked]\"]]"}"#);
    check_clean(r#"["password","token"] ["id","password"] ("password", "token", "cvv") ["pin","puk"]"#);
    check_clean(r#"{"loc":["body","password"],"msg":"field required"}"#);
    check_clean(r#"["cvv"] [] ("#);
}

#[test]
fn a_value_may_stand_before_its_name() {
    check(r#"[{"value":"123","name":"cvv"}]"#, r#"[{"value":"[masked]","name":"cvv"}]"#);
    check(r#"<input value="123" name="cvv">"#, r#"<input value="[masked]" name="cvv">"#);
    check(r#"{"value":123,"name":"cvv"}"#, r#"{"value":"[masked]","name":"cvv"}"#);
    check_clean(r#"[{"value":"Oslo"},{"name":"cvv"}]"#);
}

#[test]
fn statements_that_list_their_columns() {
    check(
        "INSERT INTO `cards` (`id`,`pan`,`cvv`) VALUES (1, 4111111111111112, 123), (2, NULL, '456')",
        "INSERT INTO `cards` (`id`,`pan`,`cvv`) VALUES (1, 411111******1112, [masked]), (2, NULL, '[masked]')",
    );
    check(
        "insert into app.users (name, password) values ('O''Hara', MD5('hunter2'))",
        "insert into app.users (name, password) values ('O''Hara', MD5('[masked]'))",
    );
    check(
        r#"{"q":"INSERT INTO \"u\" (\"id\", \"pin\") VALUES (7, '1234')"}"#,
        r#"{"q":"INSERT INTO \"u\" (\"id\", \"pin\") VALUES (7, '[masked]')"}"#,
    );
    check(
        "SELECT 1 FROM t WHERE cvv IN ('123', '456')",
        "SELECT 1 FROM t WHERE cvv IN ('[masked]', '[masked]')",
    );
    for statement in [
        "INSERT INTO users (id, password, token) VALUES (?, ?, ?)",
        "INSERT INTO users (id, password) VALUES ($1, $2) RETURNING id",
        "INSERT INTO t (id, total) VALUES (12345678, 100.00)",
        "UPDATE users SET password = ?, pwd = :pwd, pin = @pin, token = $1 WHERE id = 5",
        "SELECT pin, password FROM t WHERE token IS NOT NULL AND secret = :p1",
    ] {
        check_clean(statement);
    }
}

#[test]
fn yaml() {
    check("a: 1\npassword: hunter2\nb: 2\n", "a: 1\npassword: [masked]\nb: 2\n");
    check("password: |\n  two\n  lines\nb: 2\n", "password: [masked]\nb: 2\n");
    check("a:\n  api_key: >-\n    ab\n    cd\n  b: 2\n", "a:\n  api_key: [masked]\n  b: 2\n");
    check("- password: two words\n- user: x\n", "- password: [masked]\n- user: x\n");
    check("secret: 'it''s'\nb: 2", "secret: '[masked]'\nb: 2");
    check_clean("password: ${DB_PASSWORD}\ntoken: {{ vault.token }}\napi_key: process.env.KEY\n");
}

#[test]
fn arguments() {
    check("tool -password hunter2 -x", "tool -password [masked] -x");
    check("tool --card-number '4111111111111112'", "tool --card-number '411111******1112'");
    check("java -Dpassword=x1 -jar a.jar", "java -Dpassword=[masked] -jar a.jar");
    check("curl -u joe:s3cret https://x.example", "curl -u joe:[masked] https://x.example");
    check(r#"["curl","--user","joe:s3cret"]"#, r#"["curl","--user","joe:[masked]"]"#);
    check(r#"["x","--password=two words","-v"]"#, r#"["x","--password=[masked]","-v"]"#);
    check_clean("docker run -u 1000:1000 my-token foo -p 80:80 --password is deprecated");
    check_clean("$this->token->get() and $password->hash()");
    check("cvv -> 123", "cvv -> [masked]");
}

#[test]
fn quotes_inside_of_values() {
    check("pwd: pa\"ss\nx: y", "pwd: [masked]\nx: y");
    check("Array\n(\n    [pwd] => pa\"ss\n)\n", "Array\n(\n    [pwd] => [masked]\n)\n");
    check(
        "[\"pwd\"]=>\n  string(5) \"pa\"ss\"\n  [\"x\"]=>",
        "[\"pwd\"]=>\n  string(5) \"[masked]\"\n  [\"x\"]=>",
    );
    check("s:3:\"pwd\";s:5:\"pa\"ss\";s:1:\"x\";", "s:3:\"pwd\";s:5:\"[masked]\";s:1:\"x\";");
    check(r#"{"log":"pin=1234"}"#, r#"{"log":"pin=[masked]"}"#);
    check(r#"{"a":"{\"log\":\"pin=1234\"}"}"#, r#"{"a":"{\"log\":\"pin=[masked]\"}"}"#);
}

#[test]
fn types_around_values() {
    check(
        "Card {\n    cvv: Some(\n        \"123\",\n    ),\n}",
        "Card {\n    cvv: Some(\n        \"[masked]\",\n    ),\n}",
    );
    check("Req { pin: Inner { v: \"1234\" } }", "Req { pin: Inner { v: \"[masked]\" } }");
    check("main.Card{CVV:main.Code{V:\"123\"}, N:1}", "main.Card{CVV:main.Code{V:\"[masked]\"}, N:1}");
    check("map[Authorization:[dG9rZW4=] X:[1]]", "map[Authorization:[[masked]] X:[1]]");
}

#[test]
fn encodings() {
    check("a=4111%2D1111%2D1111%2D1111", "a=4111%2D11**%2D****%2D1111");
    check("a=4111%C2%A01111%C2%A01111%C2%A01111", "a=4111%C2%A011**%C2%A0****%C2%A01111");
    check("<a>4111&nbsp;1111&nbsp;1111&nbsp;1111</a>", "<a>4111&nbsp;11**&nbsp;****&nbsp;1111</a>");
    check("&#59;4111111111111111&#61;25121010000012300&#63;", "&#59;411111******1111&#61;[masked]&#63;");
    check("p=%7B%22cvv%22%3A+%22123%22%7D", "p=%7B%22cvv%22%3A+%22[masked]%22%7D");
    check("%25B4111111111111111%5EDOE/JOHN%5E25121010000012300%3F", "%25B411111******1111%5E[masked]%3F");
    // {"pan":"4111111111111111","x":1}
    check(
        "body=eyJwYW4iOiI0MTExMTExMTExMTExMTExIiwieCI6MX0=",
        "body=eyJwYW4iOiI0MTExMTEqKioqKioxMTExIiwieCI6MX0=",
    );
    // {"id":1}
    check_clean("body=eyJpZCI6MSwieCI6ICJhYmNkZWYifQ==");
}

#[test]
fn fields_of_iso_8583() {
    check(r#"<field id="52" value="AB12CD34EF567890"/>"#, r#"<field id="52" value="[masked]"/>"#);
    check(r#"<field id="2" value="4111111111111112"/>"#, r#"<field id="2" value="411111******1112"/>"#);
    check(
        r#"<field id="35" value="4111111111111112=25121010000012300"/>"#,
        r#"<field id="35" value="[masked]"/>"#,
    );
    check("DE52=AB12CD34EF567890", "DE52=[masked]");
    check_clean(r#"<field id="11" value="001234"/> DE11=001234 DE38=A12345"#);
}

#[test]
fn messages_about_secrets_stay() {
    check_clean("Invalid token: expired. invalid token: signature mismatch. Wrong password: try again");
    check_clean("secret: not found; apiKey: missing; token: expired at noon; signature: valid");
    check_clean("error: field \"password\": cannot be blank");
    check_clean("PWD=/srv/app OLDPWD=/srv");
}
