//! Whatever people and users write is text on every page, and nothing else.

use persona_gateway::authoring::yaml::Source;
use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::desk::Desk;
use crate::browser::{forbidden, with_browser};
use crate::harness::admins::body;
use crate::harness::{TestApp, spawn};

const ANN: &str = "ann@example.com";
/// What would be a script, an element, or a way out of one, in a page that takes it for anything but text.
const HOSTILE: &str =
    "<svg/onload=alert(1)><img src=x onerror=alert()>\"'`</textarea></title>&lt;{{7}}ש";
/// The same in a template, where braces mean something, and what is told in them comes from a user.
const TEMPLATE: &str = "<script>alert(6)</script><img src=x onerror=alert(7)>\"'`</textarea>&lt; {{ preferences.displayName }}";

/// A tenant whose documents, catalogue, users and sessions are full of it; gives its pages, with whether the text is in each.
#[expect(clippy::too_many_lines, reason = "a list of pages")]
async fn furnished(app: &TestApp) -> Vec<(String, bool)> {
    app.member("demo", ANN, Role::Owner).await;
    let mut bundle = Source::parse(include_str!("../../../src/dev/demo.yaml"))
        .unwrap()
        .value;
    bundle["name"] = json!(HOSTILE);
    bundle["catalogue"]["avatars"][1]["name"] = json!(HOSTILE);
    bundle["catalogue"]["voices"][0]["attributes"] = json!({ "provider": HOSTILE });
    bundle["policy"]["preferences"] = json!({ "experience": { "values": ["expert", HOSTILE] } });
    bundle["snippets"]["house-rules"]["text"] = json!(HOSTILE);
    let persona = &mut bundle["personas"]["support-agent"];
    persona["name"] = json!(HOSTILE);
    persona["initialMessage"] = json!(TEMPLATE);
    persona["systemPrompt"] = json!(format!("{TEMPLATE} {{{{ snippets['house-rules'] }}}}"));
    let context = &mut bundle["contexts"]["support"];
    context["description"] = json!(HOSTILE);
    context["rules"][0]["name"] = json!(HOSTILE);
    context["rules"][0]["when"][0]["values"] = json!([HOSTILE]);
    app.apply(&bundle.to_string()).await;

    let key = app.admin_key("demo", Role::Owner).await;
    let post = async |path: &str, sent: &Value, status: u16| {
        body(app.tell(Method::POST, path, &key, sent).await, status).await
    };
    let documents = "/v1/admin/documents/persona/trainer";
    let live = app.ask(Method::GET, documents, &key).await;
    let mut written = body(live, 200).await["content"].clone();
    written["name"] = json!(HOSTILE);
    written["systemPrompt"] = json!(TEMPLATE);
    let draft = post(
        &format!("{documents}/drafts"),
        &json!({ "content": written }),
        201,
    )
    .await;
    let seal = format!("/v1/admin/drafts/{}:seal", draft["id"].as_str().unwrap());
    let message = json!({ "message": HOSTILE });
    let sealed = app.tell_if(Method::POST, &seal, &key, "*", &message).await;
    let number = body(sealed, 201).await["number"].clone();
    let release = json!({ "version": number, "note": HOSTILE });
    post(&format!("{documents}/releases"), &release, 200).await;
    post(
        "/v1/admin/api-keys",
        &json!({ "name": HOSTILE, "role": "viewer" }),
        201,
    )
    .await;

    let user = app.user(HOSTILE);
    app.prefer(
        &user,
        &json!({ "displayName": HOSTILE, "experience": HOSTILE }),
    )
    .await;
    let asked =
        json!({ "context": "support", "metadata": { "issue": HOSTILE, "ticketId": "<b>&" } });
    let minted = body(app.mint(&user, &asked).await, 200).await;
    let session = minted["sessionId"].as_str().unwrap();
    let wrong = json!({ "context": HOSTILE, "metadata": {} });
    _ = app.mint(&user, &wrong).await;

    let subject: String = url::form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect();
    let subject = subject.replace('+', "%20");
    [
        ("/console", false),
        ("/console/personas", false),
        ("/console/personas/support-agent", true),
        ("/console/personas/trainer", true),
        ("/console/personas/trainer/history?version=2", true),
        ("/console/snippets/house-rules", true),
        ("/console/contexts", true),
        ("/console/contexts/support", true),
        ("/console/contexts/support/history?version=2", true),
        ("/console/talk?what=persona:trainer", true),
        ("/console/talk?what=context:support", true),
        (
            &format!("/console/talk?what={subject}&facts={subject}"),
            false,
        ),
        ("/console/sessions", true),
        (&format!("/console/sessions/{session}"), true),
        (&format!("/console/sessions/{session}/replay"), false),
        ("/console/users", false),
        (&format!("/console/users/{subject}"), true),
        (&format!("/console/users/{subject}/erase"), true),
        (
            &format!("/console/sessions?subject={subject}&context={subject}&persona={subject}"),
            true,
        ),
        ("/console/refusals", false),
        ("/console/audit", false),
        ("/console/catalogue/avatar", true),
        ("/console/catalogue/voice", true),
        ("/console/policy", true),
        ("/console/policy/json", false),
        ("/console/keys", true),
        ("/console/people", false),
        ("/console/bundles", false),
        (
            &format!("/console/nothing?said={subject}&next={subject}"),
            false,
        ),
        (&format!("/console/personas/{subject}"), false),
        (&format!("/console/sign-in?next={subject}"), false),
    ]
    .map(|(path, shown)| (path.to_owned(), shown))
    .to_vec()
}

/// Whether the text is on the page letter for letter, and what on the page came alive.
const LOOK: &str = "
    const [text] = arguments;
    const fields = [...document.querySelectorAll('input, textarea, option')].map((field) => field.value);
    const alive = document.querySelectorAll('script:not([src]), img[src=\"x\"], [onerror], [onload], [onclick], [href^=\"javascript\" i]');
    return {
        shown: document.body.textContent.includes(text) || fields.some((value) => value.includes(text)),
        alive: [...alive].map((part) => part.outerHTML.slice(0, 200)),
    };
";

async fn judged(desk: &Desk<'_>, path: &str, shown: bool, faults: &mut Vec<String>) {
    // An open dialogue would be an error here.
    let seen = desk.browser.execute(LOOK, vec![json!(HOSTILE)]).await;
    match seen {
        Err(error) => {
            faults.push(format!("{path}: {error}"));
            _ = desk.browser.dismiss_alert().await;
        }
        Ok(seen) => {
            if seen["alive"] != json!([]) {
                faults.push(format!("{path}: {}", seen["alive"]));
            }
            if shown && seen["shown"] != json!(true) {
                faults.push(format!("{path} does not show the text as it is"));
            }
            for report in forbidden(&desk.browser).await {
                faults.push(format!("{path}: {report}"));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_write_is_text_on_every_page() {
    let app = spawn().await;
    let pages = furnished(&app).await;
    with_browser(|browser| async move {
        let desk = Desk::new(&app, browser).await;
        desk.sign_in(ANN).await;
        let mut faults = Vec::new();
        for (path, shown) in &pages {
            desk.open(path).await;
            judged(&desk, path, *shown, &mut faults).await;
        }
        // Typed, shown by the script, kept by it, and offered again.
        let path = "/console/personas/support-agent";
        desk.open(path).await;
        desk.fill("#initialMessage", HOSTILE).await;
        desk.shows("#preview .said", "alert(1)").await;
        judged(&desk, "the preview", true, &mut faults).await;
        desk.fill("#systemPrompt", &format!("{HOSTILE} {{{{ user.name"))
            .await;
        desk.shows("#preview .notice", "").await;
        judged(&desk, "a prompt that can't be read", true, &mut faults).await;
        desk.open(path).await;
        desk.shows("[data-kept]", "Unsaved").await;
        judged(&desk, "what was kept", true, &mut faults).await;
        assert!(faults.is_empty(), "{}", faults.join("\n"));

        // What turns the direction of a text, so that it reads as another, is refused and named.
        desk.open(path).await;
        desk.fill("#name", "Liv\u{202e}evil").await;
        desk.press("button[value=publish]").await;
        desk.shows("#name-fault", "MARK OF WRITING DIRECTION").await;
        app.stop().await;
    })
    .await;
}
