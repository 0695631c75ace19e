//! Texts in all scripts, from a token, a page and a user's own choice to what Anam is sent.

use std::fmt::Write as _;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::tenants::{AUDIENCE, Tenant, serve};
use crate::harness::{TestApp, TestOptions, errors, problem};

/// A tenant whose persona says each text: what somebody is called, chose and typed.
async fn speaking() -> (TestApp, Tenant) {
    let tenant = Tenant::new("scripts", None);
    let mut bundle = tenant.bundle();
    bundle["policy"]["preferences"] = json!({ "nickname": { "maxLength": 200 } });
    let guide = &mut bundle["personas"]["guide"];
    guide["initialMessage"] = json!("Hello {{ user.name }}, how can I help?");
    guide["systemPrompt"] = json!(
        "{% if user.name %}Known{% else %}Unknown{% endif %}.\n\
         Name: {{ user.name }}\nNick: {{ preferences.nickname }}\nTopic: {{ metadata.topic }}\n\
         Initial: {{ metadata.topic[:1] }}\nSeen: {{ metadata.topic|length }}"
    );
    let app = Box::pin(serve(&[&tenant], TestOptions::default())).await;
    app.apply(&bundle.to_string()).await;
    (app, tenant)
}

/// JSON as many libraries write it: all of it ASCII, what lies beyond as pairs of surrogates.
fn escaped(json: &Value) -> String {
    json.to_string().chars().fold(String::new(), |mut text, c| {
        if c.is_ascii() {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(text, "\\u{unit:04x}").unwrap();
            }
        }
        text
    })
}

/// The claims of a token that is good for an hour.
fn claims(tenant: &Tenant, subject: &str) -> Value {
    let now = persona_gateway::clock::Clock::system().now().timestamp();
    json!({ "iss": tenant.issuer, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 3600 })
}

async fn mint(app: &TestApp, token: &str, body: String) -> Response {
    let request = app.request(Method::POST, "/v1/session-token", token);
    let request = request.header("content-type", "application/json");
    request.body(body).send().await.unwrap()
}

/// What Anam was sent: the greeting, and the lines of the prompt without the marks around values.
struct Said {
    greeting: String,
    prompt: Vec<String>,
}

impl Said {
    fn newest(app: &TestApp) -> Self {
        let sent = app.last_mint();
        let text = |name: &str| sent["personaConfig"][name].as_str().unwrap().to_owned();
        let lines = text("systemPrompt").lines().map(unmarked).collect();
        Self {
            greeting: text("initialMessage"),
            prompt: lines,
        }
    }

    fn line(&self, label: &str) -> &str {
        let line = self.prompt.iter().find_map(|line| line.strip_prefix(label));
        line.unwrap_or_else(|| panic!("{label}: {:?}", self.prompt))
    }
}

/// `Topic: ⟦6193ce5d: text :6193ce5d⟧` without the marks.
fn unmarked(line: &str) -> String {
    let Some((label, rest)) = line.split_once('\u{27E6}') else {
        return line.to_owned();
    };
    let (tag, rest) = rest.split_once(": ").unwrap();
    let value = rest.strip_suffix(&format!(" :{tag}\u{27E7}")).unwrap();
    format!("{label}{value}")
}

const FAMILY: &str = "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}\u{200D}\u{1F466}";
const ENGLAND: &str = "\u{1F3F4}\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}";

/// What it is, what is sent, what people see of it, its first character, and how many it has.
fn texts() -> Vec<(&'static str, String, String, String, usize)> {
    let kept = |what, text: &str, first: &str, seen| {
        (
            what,
            text.to_owned(),
            text.to_owned(),
            first.to_owned(),
            seen,
        )
    };
    let changed = |what, sent: &str, text: &str, first: &str, seen| {
        (
            what,
            sent.to_owned(),
            text.to_owned(),
            first.to_owned(),
            seen,
        )
    };
    vec![
        kept("plain", "Ada", "A", 3),
        kept(
            "Persian with its joiner",
            "\u{645}\u{6CC}\u{200C}\u{62E}\u{648}\u{627}\u{647}\u{645}",
            "\u{645}",
            7,
        ),
        kept(
            "Hindi with its joiner",
            "\u{930}\u{94D}\u{200D}\u{92F} \u{936}",
            "\u{930}\u{94D}\u{200D}\u{92F}",
            3,
        ),
        kept("Arabic", "\u{645}\u{62D}\u{645}\u{62F}", "\u{645}", 4),
        kept("Thai", "\u{E2A}\u{E21}\u{E0A}\u{E32}\u{E22}", "\u{E2A}", 5),
        kept(
            "Japanese with a form of its own",
            "\u{845B}\u{E0100}\u{57CE}",
            "\u{845B}\u{E0100}",
            2,
        ),
        kept("a family", &format!("{FAMILY} Smith"), FAMILY, 7),
        kept(
            "a flag of letters",
            "\u{1F1EE}\u{1F1F7}\u{1F1E9}\u{1F1EA}",
            "\u{1F1EE}\u{1F1F7}",
            2,
        ),
        kept("a flag of tags", &format!("{ENGLAND}!"), ENGLAND, 2),
        kept(
            "a skin tone",
            "\u{1F44D}\u{1F3FD}\u{1F3FD}",
            "\u{1F44D}\u{1F3FD}\u{1F3FD}",
            1,
        ),
        kept("a heart", "\u{2764}\u{FE0F} Ann", "\u{2764}\u{FE0F}", 5),
        kept("astral letters", &"\u{1D49C}".repeat(80), "\u{1D49C}", 80),
        changed("accents apart", "Ame\u{301}lie", "Am\u{E9}lie", "A", 6),
        changed("a joiner that nothing needs", "A\u{200D}da", "Ada", "A", 3),
        changed("a direction", "A\u{202E}da", "Ada", "A", 4),
        changed("a hidden tag", "A\u{E0041}da", "Ada", "A", 3),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_of_all_scripts_reach_anam_as_they_are_meant() {
    let (app, tenant) = speaking().await;
    for (at, (what, sent, seen, first, length)) in texts().into_iter().enumerate() {
        let subject = format!("user-{at}");
        let mut claims = claims(&tenant, &subject);
        claims["name"] = json!(sent);
        let body = json!({ "metadata": { "topic": sent } });
        // What a user chooses is stored, so what hides in it is refused and not cleaned away.
        let own = app.request(Method::PUT, "/v1/me/preferences", &tenant.user(&subject));
        let answer = own.json(&json!({ "nickname": sent })).send().await.unwrap();
        let hides = sent.contains(['\u{202E}', '\u{E0041}']);
        if hides {
            let refused = problem(answer, 422, "preference_invalid").await;
            let (place, message) = errors(&refused).remove(0);
            assert_eq!(place, "/nickname", "{what}");
            assert!(message.contains("at character 2"), "{what}: {message}");
        } else {
            assert_eq!(answer.status(), 200, "{what}");
        }
        for (spelling, token, body) in [
            (
                "as it is",
                tenant.signer.token_of(&claims.to_string()),
                body.to_string(),
            ),
            (
                "escaped",
                tenant.signer.token_of(&escaped(&claims)),
                escaped(&body),
            ),
        ] {
            let answer = mint(&app, &token, body).await;
            assert_eq!(answer.status(), 200, "{what} {spelling}");
            let said = Said::newest(&app);
            assert_eq!(
                said.greeting,
                format!("Hello {seen}, how can I help?"),
                "{what} {spelling}"
            );
            assert!(
                said.prompt.contains(&"Known.".to_owned()),
                "{what} {spelling}"
            );
            let nick = if hides { "" } else { &seen };
            for (label, expected) in [
                ("Name: ", seen.as_str()),
                ("Nick: ", nick),
                ("Topic: ", &seen),
                ("Initial: ", &first),
                ("Seen: ", &length.to_string()),
            ] {
                assert_eq!(said.line(label), expected, "{what} {spelling} {label}");
            }
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_of_which_nothing_can_be_seen_is_no_name() {
    let (app, tenant) = speaking().await;
    for name in [
        "\u{200D}\u{200C}",
        "",
        "  \u{A0}",
        "\u{FE0F}",
        "\u{E0041}\u{202E}",
        "\u{2800}",
    ] {
        let mut claims = claims(&tenant, "nobody");
        claims["name"] = json!(name);
        let token = tenant.signer.token_of(&escaped(&claims));
        let answer = mint(
            &app,
            &token,
            json!({ "metadata": { "topic": name } }).to_string(),
        )
        .await;
        assert_eq!(answer.status(), 200, "{name:?}");
        let said = Said::newest(&app);
        assert_eq!(said.greeting, "Hello, how can I help?", "{name:?}");
        assert!(said.prompt.contains(&"Unknown.".to_owned()), "{name:?}");
        assert_eq!(said.line("Name:").trim(), "", "{name:?}");
        assert_eq!(said.line("Topic:").trim(), "", "{name:?}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_falls_between_characters_and_is_in_the_trace() {
    let (app, tenant) = speaking().await;
    for (name, expected) in [
        ("\u{1D49C}".repeat(81), "\u{1D49C}".repeat(80)),
        (format!("{}{FAMILY}", "a".repeat(76)), "a".repeat(76)),
        (
            format!("{}\u{1F44D}\u{1F3FD}", "a".repeat(79)),
            "a".repeat(79),
        ),
        (format!("{}x\u{323}\u{302}", "a".repeat(78)), "a".repeat(78)),
    ] {
        let mut claims = claims(&tenant, "long");
        claims["name"] = json!(name);
        let token = tenant.signer.token_of(&claims.to_string());
        assert_eq!(
            mint(&app, &token, "{}".into()).await.status(),
            200,
            "{name}"
        );
        let said = Said::newest(&app);
        assert_eq!(said.greeting, format!("Hello {expected}, how can I help?"));
        assert_eq!(said.line("Name: "), name, "a prompt has room for it");
        let notes = app.last_trace().await["notes"].to_string();
        assert!(notes.contains("cut"), "{notes}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_of_a_surrogate_pair_costs_the_claim_that_has_it_and_nothing_else() {
    let (app, tenant) = speaking().await;
    let with = |more: &str| {
        let claims = claims(&tenant, "halved").to_string();
        tenant
            .signer
            .token_of(&format!("{{{more},{}", claims.trim_start_matches('{')))
    };
    for (claims, greeting) in [
        (
            r#""name":"Ada","plan":"\ud83d""#,
            "Hello Ada, how can I help?",
        ),
        (
            r#""name":"Ada \ude00","plan":"gold""#,
            "Hello, how can I help?",
        ),
        (
            r#""name":"Ada","roles":["ok","\udc00\ud800"]"#,
            "Hello Ada, how can I help?",
        ),
        (
            r#""name":"Ada","deep":{"x":["\ud83d\ud83d"]}"#,
            "Hello Ada, how can I help?",
        ),
    ] {
        let answer = mint(&app, &with(claims), "{}".into()).await;
        assert_eq!(answer.status(), 200, "{claims}");
        assert_eq!(Said::newest(&app).greeting, greeting, "{claims}");
    }
    let body = r#"{"metadata":{"topic":"\ud83d"}}"#;
    let refused = mint(&app, &tenant.user("halved"), body.into()).await;
    let refused = problem(refused, 400, "malformed_request").await;
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("\\ud83d is half of a surrogate pair"),
        "{refused}"
    );
    app.stop().await;
}
