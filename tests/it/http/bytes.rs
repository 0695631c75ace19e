//! No bytes of anybody give a 5xx: every operation of the `OpenAPI` document is sent what no text holds and what no number
//! reaches, in every parameter of path and query, in headers, and in every member of its body. Each place gets a seventh of it, and each
//! piece comes to a seventh of the places, unless the environment has `EVERY_BYTE`: then everything is sent everywhere.

use std::collections::BTreeSet;

use futures_util::{StreamExt, stream};
use persona_gateway::domain::role::Role;
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use crate::admin::authorization::{Operation, Things, fill, operations, parameters, things};
use crate::harness::openapi;
use crate::harness::{TestApp, spawn_patient};

/// What may stand in a path or a query once it is percent-encoded.
const TEXTS: [&[u8]; 34] = [
    b"\0",
    b"a\0b",
    b"\xff",
    b"\xc3",
    // An overlong U+0000, a surrogate, a code point beyond the last.
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\x01\x1f\x7f",
    b"a\r\nb",
    // C1 controls, bidi, a byte order mark, the last code point, a noncharacter.
    b"\xc2\x85\xc2\x9b",
    b"\xe2\x80\xaeabc",
    b"\xef\xbb\xbf",
    b"\xf4\x8f\xbf\xbf",
    b"\xef\xbf\xbe",
    b"a/b",
    b"a:b",
    b"..",
    b"%00",
    b"",
    b" ",
    b"*",
    b"-1",
    b"0",
    b"2147483648",
    b"99999999999999999999999999",
    b"1e400",
    b"NaN",
    b"00000000-0000-0000-0000-000000000000",
    b"-262143-01-01T00:00:00Z",
    b"+262142-12-31T23:59:59Z",
    b"0000-01-01T00:00:00Z",
    b"9999-12-31T23:59:60.999999999Z",
    b"' or true --",
    b"{{7*7}}",
];

/// What is no percent-encoding at all, and what is decoded twice by the careless.
const RAW: [&str; 5] = ["%", "%0", "%zz", "%2500", "%25%30%30"];

/// What a header's value may hold on its way.
const HEADERS: [&[u8]; 9] = [
    b"\xff\xfe",
    b"\xc3\xa9",
    b"\"\xe2\x80\xae\"",
    b"\t",
    b"\"",
    b"W/\"0-\"",
    b"99999999999999999999999999999",
    b"Bearer \xff",
    b",,,;;;===",
];

/// In the place of any member's value, as JSON is written.
const VALUES: [&str; 28] = [
    r#""\u0000""#,
    r#""a\u0000b""#,
    r#""\ud800""#,
    r#""\udc00\ud800""#,
    r#""\u0001\u001b\u007f""#,
    r#""\u0085\u009b""#,
    r#""\u202e\u2066abc""#,
    r#""\ufeff\ufffe\uffff""#,
    r#""\udbff\udfff""#,
    r#""""#,
    r#"" ""#,
    r#""-262143-01-01T00:00:00Z""#,
    r#""+262142-12-31T23:59:59Z""#,
    r#""0000-01-01T00:00:00Z""#,
    r#""{{ 7 * 7 }}{% for""#,
    r#""https://[::1""#,
    "null",
    "true",
    "0",
    "-1",
    "1e400",
    "-1e308",
    "2147483648",
    "123456789012345678901234567890",
    "[]",
    "{}",
    r#"{"\u0000": 1}"#,
    r#"[[[[[[[[[[[[[[[[[[[[[[["a"]]]]]]]]]]]]]]]]]]]]]]]"#,
];

/// A whole body.
const BODIES: [&[u8]; 8] = [
    b"\0",
    b"\xff",
    b"{\"a\": \"\xed\xa0\x80\"}",
    b"\xef\xbb\xbf{}",
    b"[]",
    b"{\"a\": 1, \"a\": 2}",
    b"{",
    b"\"\xe2\x80\xae\"",
];

/// One request of the walk.
struct Probe {
    operation: String,
    method: Method,
    path: String,
    header: Option<(HeaderName, HeaderValue)>,
    body: Option<(String, Vec<u8>)>,
    token: String,
}

fn encoded(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("%{byte:02X}"))
}

fn hostile_texts() -> Vec<String> {
    let mut texts: Vec<String> = TEXTS.iter().map(|bytes| encoded(bytes)).collect();
    texts.extend(RAW.iter().map(|&raw| raw.to_owned()));
    texts.push("a".repeat(6_000));
    texts.push("%F0%9F%98%80".repeat(400));
    texts
}

/// A value that fits a schema of the document well enough to come further than its first check.
fn example(document: &Value, schema: &Value, depth: usize) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap();
        return example(document, &document["components"]["schemas"][name], depth);
    }
    for several in ["oneOf", "anyOf", "allOf"] {
        if let Some(schemas) = schema[several].as_array() {
            let chosen = schemas.iter().find(|one| one["type"] != "null");
            return example(document, chosen.unwrap_or(&Value::Null), depth);
        }
    }
    if let Some(given) = schema.get("example").or(schema.get("default")) {
        return given.clone();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null"),
        kind => Some(kind),
    };
    match kind.and_then(Value::as_str).unwrap_or_default() {
        "object" if depth < 6 => {
            let properties = schema["properties"].as_object();
            let members = properties.into_iter().flatten();
            let members =
                members.map(|(name, of)| (name.clone(), example(document, of, depth + 1)));
            Value::Object(members.collect())
        }
        "array" => json!([example(document, &schema["items"], depth + 1)]),
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or(json!(1)),
        "boolean" => json!(false),
        "string" => match schema["format"].as_str() {
            Some("date-time") => json!("2026-11-28T00:00:00Z"),
            Some("uuid") => json!("01a20dc5-0feb-779f-8366-899fca1e1ced"),
            _ => {
                let pattern = schema["pattern"].as_str().unwrap_or_default();
                let words = pattern.trim_matches(['^', '$', '(', ')']);
                let first = words.split('|').next().unwrap_or_default();
                let plain = !first.is_empty() && first.chars().all(char::is_alphabetic);
                json!(if plain { first } else { "text" })
            }
        },
        _ => Value::Object(Map::new()),
    }
}

/// Every member and item of a value, as a JSON pointer.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut inside = |step: &str, value: &Value| {
        let at = format!("{at}/{}", step.replace('~', "~0").replace('/', "~1"));
        found.push(at.clone());
        places(value, &at, found);
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| inside(name, value)),
        Value::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                inside(&at.to_string(), value);
            }
        }
        _ => {}
    }
}

/// The bodies of an operation, each with one member replaced.
fn bodies(document: &Value, operation: &Value) -> Vec<(String, Vec<u8>)> {
    let Some(content) = operation["requestBody"]["content"].as_object() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (media_type, described) in content {
        let mut send = |bytes: Vec<u8>| found.push((media_type.clone(), bytes));
        for body in BODIES {
            send(body.to_vec());
        }
        let whole = match example(document, &described["schema"], 0) {
            Value::Object(members) => Value::Object(members),
            // Lines of JSON.
            _ => json!({ "subject": "user-1", "preferences": { "tone": "warm" } }),
        };
        let mut at = Vec::new();
        places(&whole, "", &mut at);
        let long = format!("\"{}\"", "\u{1F600}".repeat(5_000));
        for place in at {
            for value in VALUES.iter().copied().chain([long.as_str()]) {
                let mut changed = whole.clone();
                *changed.pointer_mut(&place).unwrap() = json!("HERE IT STANDS");
                let text = changed.to_string().replace("\"HERE IT STANDS\"", value);
                send(text.into_bytes());
            }
        }
    }
    found
}

/// Everything that one operation is sent. `known` has things that are there, `nobodys` some that nobody has, for verbs that
/// would change what the other requests stand on.
fn probes(
    document: &Value,
    operation: &Operation,
    known: &Things,
    nobodys: &Things,
    token: &str,
) -> Vec<Probe> {
    let method = operation.method.as_str().to_lowercase();
    let described = &document["paths"][&operation.path][&method];
    let reads = operation.method == Method::GET;
    let things = if reads { known } else { nobodys };
    let path = fill(&operation.path, things);
    let probe = |path: String| Probe {
        operation: format!("{} {}", operation.method, operation.path),
        method: operation.method.clone(),
        path,
        header: None,
        body: (!reads).then(|| ("application/json".to_owned(), b"{}".to_vec())),
        token: token.to_owned(),
    };
    let mut found = Vec::new();
    for name in parameters(&operation.path) {
        let marked = operation.path.replace(&format!("{{{name}}}"), "HOSTILE");
        let others = fill(&marked, things);
        found.extend(
            hostile_texts()
                .iter()
                .map(|text| probe(others.replace("HOSTILE", text))),
        );
    }
    for parameter in described["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap();
        if parameter["in"] == "query" {
            for text in hostile_texts() {
                found.push(probe(format!("{path}?{name}={text}")));
                found.push(probe(format!("{path}?{name}=a&{name}={text}&{text}=1")));
            }
        }
    }
    for name in [
        "if-match",
        "if-none-match",
        "idempotency-key",
        "authorization",
        "content-type",
        "origin",
        "x-request-id",
        "traceparent",
        "cookie",
        "x-forwarded-for",
        "host",
    ] {
        let long = "9".repeat(4_000).into_bytes();
        for value in HEADERS.iter().map(|&value| value.to_vec()).chain([long]) {
            let header = (
                HeaderName::from_static(name),
                HeaderValue::from_bytes(&value).unwrap(),
            );
            found.push(Probe {
                header: Some(header),
                ..probe(path.clone())
            });
        }
    }
    // With a body the things must be there, else nobody reads it.
    let there = fill(&operation.path, known);
    for body in bodies(document, described) {
        found.push(Probe {
            body: Some(body),
            ..probe(there.clone())
        });
    }
    found
}

/// The status, and the body where it is told in a failure.
async fn send(app: &TestApp, probe: &Probe) -> (u16, String) {
    let mut request = app
        .request(probe.method.clone(), &probe.path, &probe.token)
        .header("if-match", "*");
    if let Some((media_type, bytes)) = &probe.body {
        request = request
            .header("content-type", media_type)
            .body(bytes.clone());
    }
    let mut request = request.build().unwrap();
    if let Some((name, value)) = &probe.header {
        request.headers_mut().insert(name.clone(), value.clone());
    }
    let answer = app.http.execute(request).await.unwrap();
    (
        answer.status().as_u16(),
        answer.text().await.unwrap_or_default(),
    )
}

#[tokio::test]
async fn no_bytes_of_a_path_a_query_a_header_or_a_body_are_answered_with_a_5xx() {
    let app = spawn_patient().await;
    let (known, nobodys) = things(&app).await;
    // A key of the tenant's own that can't be opened would be a 503 of its own.
    app.database.sql("delete from provider_key").await;
    let document = openapi::document();
    let owner = app.admin_key("demo", Role::Owner).await;
    let operator = app.operator("ops@example.com").await;
    let user = app.user("user-1");
    let mut all = Vec::new();
    for operation in operations() {
        let token = match operation.permission.as_deref() {
            Some("operator" | "person") => &operator,
            Some(_) => &owner,
            None => &user,
        };
        all.extend(probes(document, &operation, &known, &nobodys, token));
    }
    // Users first: what admins are sent may change the tenant.
    all.sort_by_key(|probe| (probe.token != user, probe.method != Method::GET));
    assert!(all.len() > 10_000, "{}", all.len());
    if std::env::vars_os().all(|(name, _)| name != "EVERY_BYTE") {
        // No list of pieces has a multiple of seven, so that the choice moves on from place to place.
        all = all.into_iter().step_by(7).collect();
    }

    let mut wrong: BTreeSet<String> = BTreeSet::new();
    let mut answers = stream::iter(&all)
        .map(async |probe| (probe, send(&app, probe).await))
        .buffered(8);
    while let Some((probe, (status, body))) = answers.next().await {
        let stored = body.contains("that can't be stored");
        if status >= 500 || stored {
            let sent = probe
                .body
                .as_ref()
                .map(|(_, body)| String::from_utf8_lossy(body).into_owned());
            let shown: String = format!("{} {:?} {sent:?}", probe.path, probe.header)
                .chars()
                .take(300)
                .collect();
            wrong.insert(format!("{}: {status} {body}\n    {shown}", probe.operation));
        }
    }
    drop(answers);
    let told: Vec<&str> = wrong.iter().map(String::as_str).collect();
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        all.len(),
        told.join("\n")
    );

    // Whatever was asked for, metrics name routes as the document does.
    let documented: BTreeSet<String> = operations()
        .into_iter()
        .map(|operation| operation.path)
        .collect();
    let page = app.app.gateway.metrics.encode();
    let routes = page.lines().filter_map(|line| {
        line.strip_prefix("gateway_http_requests_total{route=\"")?
            .split('"')
            .next()
    });
    let routes: BTreeSet<&str> = routes.collect();
    assert!(routes.len() > 60, "{routes:?}");
    for route in routes {
        assert!(
            route == "none" || documented.contains(route),
            "{route} is no path of the document"
        );
    }
    app.stop().await;
}
