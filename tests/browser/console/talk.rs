//! Talking with a persona in the console, through Anam's own SDK.

use fantoccini::Locator;
use persona_gateway::dev::emulator::{Fault, FaultTarget};
use persona_gateway::domain::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::desk::Desk;
use super::looks::wrong;
use crate::browser::{forbidden, with_browser};
use crate::harness::admins::body;
use crate::harness::{TestApp, TestOptions, spawn, spawn_with};
use crate::sdk::{SDK, umd};

const ANN: &str = "ann@example.com";
/// A greeting that would be more than text in a page that takes it for more.
const GREETING: &str = "Good day, {{ user.name }} <img src=x onerror=alert(1)>&amp;!";

/// A gateway whose console has the SDK; `stand_in` as in `dev`.
pub(super) async fn with_sdk(stand_in: bool) -> TestApp {
    let sdk = SDK.tarball();
    let settings = [("CONSOLE__ANAM_SDK", sdk.to_str().unwrap())];
    spawn_with(TestOptions {
        stand_in,
        ..TestOptions::set(&settings)
    })
    .await
}

/// Looks at the page as it is, on a large screen and on a phone, in both colours.
async fn look(desk: &Desk<'_>, what: &str) {
    for (width, dark) in [(1280, false), (390, true)] {
        desk.screen(width, dark).await;
        assert_eq!(wrong(desk).await, Vec::<String>::new(), "{what} at {width}");
    }
    assert_eq!(
        forbidden(&desk.browser).await,
        Vec::<Value>::new(),
        "{what}"
    );
    desk.screen(1280, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_editor_talks_with_a_draft_as_a_user_whom_they_describe_and_sees_why() {
    let app = with_sdk(false).await;
    app.member("demo", ANN, Role::Editor).await;
    with_browser(|browser| async move {
        let desk = Desk::new(&app, browser).await;
        desk.sign_in(ANN).await;
        desk.open("/console/personas/support-agent").await;
        desk.fill("#initialMessage", GREETING).await;
        // What is typed is saved first, and chosen there, as is the context that gives this persona.
        desk.press("button[value=talk]").await;
        desk.shows(".notice.good", "Your changes are saved as a draft")
            .await;
        desk.shows("#state option:checked", "Draft of").await;
        desk.shows("#place option:checked", "support").await;
        look(&desk, "before").await;

        desk.fill("#facts", "name = Kim <b>Lee</b>").await;
        desk.press("#talk-start").await;
        desk.shows("#talk-status", "Liv from support is here.")
            .await;
        let said = "Good day, Kim <b>Lee</b> <img src=x onerror=alert(1)>&amp;!";
        desk.shows("#talk-transcript li", said).await;
        desk.shows("#talk-who", "Liv from support (support-agent, draft)")
            .await;
        desk.shows("#talk-why", "You chose this persona").await;
        desk.shows("#talk-timer", " / 30:00").await;
        let focus = desk.of_page("return document.activeElement.id").await;
        assert_eq!(focus, "talk-stop", "the keyboard can hang up at once");
        look(&desk, "during").await;

        // The unmodified SDK began it, with the token of this session.
        let started = app
            .anam
            .request_where(|call| call.path == "/v1/engine/session")
            .await
            .unwrap();
        assert_eq!(started.body["clientMetadata"]["client"], "js-sdk");
        let asked = app.last_mint();
        let session = asked["clientLabel"].as_str().unwrap().to_owned();
        assert_eq!(asked["personaConfig"]["initialMessage"], said);

        desk.press("#talk-mute").await;
        desk.shows("#talk-mute[aria-pressed=true]", "Unmute").await;
        desk.press("#talk-stop").await;
        desk.shows("#talk-status", "You hung up.").await;
        let focus = desk.of_page("return document.activeElement.id").await;
        assert_eq!(focus, "talk-start");
        look(&desk, "after").await;

        desk.press("#talk-session").await;
        desk.shows("h1", "Session").await;
        assert!(
            desk.browser
                .current_url()
                .await
                .unwrap()
                .path()
                .ends_with(&session)
        );
        desk.shows("[aria-labelledby=story]", "A test call of ann@example.com")
            .await;
        desk.shows("[aria-labelledby=story]", "the persona was chosen")
            .await;
        desk.shows("[aria-labelledby=rules]", "No rule was asked")
            .await;
        look(&desk, "the story").await;

        // What a context does not take is said at its field.
        desk.open("/console/talk?what=persona:support-agent").await;
        desk.fill("[name='try.meta.ticketId']", &"T-1".repeat(30))
            .await;
        desk.press("#talk-start").await;
        desk.shows("[name='try.meta.ticketId'] + .fault", "40")
            .await;
        desk.shows("#talk-trouble", "does not fit the context")
            .await;
        look(&desk, "a fault").await;
        desk.open("/console").await;
        desk.shows("main", "one test call beside them").await;
        app.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stand_in_of_dev_greets_and_repeats_what_is_written_to_it() {
    let app = with_sdk(true).await;
    app.member("demo", ANN, Role::Editor).await;
    with_browser(|browser| async move {
        let desk = Desk::new(&app, browser).await;
        desk.sign_in(ANN).await;
        desk.open("/console/talk?what=persona:support-agent").await;
        desk.press("#talk-start").await;
        desk.shows("#talk-write button", "Send").await;
        let minted = app.last_mint();
        let greeting = minted["personaConfig"]["initialMessage"].as_str().unwrap();
        desk.shows("#talk-transcript", greeting).await;
        let said = "Does it <b>rain</b>?";
        desk.fill("#talk-message", said).await;
        desk.press("#talk-write button").await;
        desk.shows("#talk-transcript li.persona:last-child", said)
            .await;
        // The greeting may be over by then, or not.
        let found = lines(&desk, "talk-transcript").await;
        let [first, rest @ ..] = found.as_array().unwrap().as_slice() else {
            panic!("no line");
        };
        let first = first.as_str().unwrap().trim_end_matches(" …");
        assert!(greeting.starts_with(first), "{found}");
        assert_eq!(rest, [json!(said), json!(said)]);
        look(&desk, "beside the stand-in").await;

        // Who writes interrupts, and who hangs up, too.
        let long = "word ".repeat(200);
        for css in ["#talk-transcript li.persona:last-child", "#talk-start"] {
            desk.fill("#talk-message", &long).await;
            desk.press("#talk-write button").await;
            desk.shows("#talk-speaking li.persona", "word word").await;
            if css == "#talk-start" {
                desk.press("#talk-stop").await;
            } else {
                desk.fill("#talk-message", "Stop").await;
                desk.press("#talk-write button").await;
                desk.shows(css, "Stop").await;
            }
        }
        desk.shows("#talk-transcript li:last-child", "word …").await;
        let frames = desk
            .of_page("return document.querySelectorAll('iframe').length")
            .await;
        assert_eq!(frames, 0);
        app.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_decides_whom_one_talks_with_by_its_rules() {
    let app = with_sdk(false).await;
    app.member("demo", ANN, Role::Editor).await;
    with_browser(|browser| async move {
        let desk = Desk::new(&app, browser).await;
        desk.sign_in(ANN).await;
        desk.open("/console/contexts/support").await;
        desk.press(".tabs a[href^='/console/talk']").await;
        desk.fill("#facts", "plan = enterprise").await;
        let priority = desk
            .browser
            .find(Locator::Id("try.meta.priority"))
            .await
            .unwrap();
        priority.select_by_value("urgent").await.unwrap();
        desk.press("#talk-start").await;
        desk.shows("#talk-status", "is here.").await;
        desk.shows("#talk-why", "Rule 1 of support: When").await;
        // The server ends it, and the page says so.
        let sessions = format!(
            "{}/v1/sessions?search={}",
            app.anam.url(),
            app.last_mint()["clientLabel"].as_str().unwrap()
        );
        let key = crate::harness::PLATFORM_KEY;
        let found = app
            .http
            .get(sessions)
            .bearer_auth(key)
            .send()
            .await
            .unwrap();
        let found: Value = found.json().await.unwrap();
        let stop = format!(
            "{}/v1/sessions/{}/stop",
            app.anam.url(),
            found["data"][0]["id"].as_str().unwrap()
        );
        app.http
            .post(stop)
            .bearer_auth(key)
            .json(&json!({}))
            .send()
            .await
            .unwrap();
        desk.shows(
            "#talk-status",
            "The conversation has ended. Session stopped",
        )
        .await;
        desk.shows("#talk-start", "Talk").await;
        app.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_keeps_a_call_from_beginning_is_said_with_what_to_do() {
    let app = with_sdk(false).await;
    app.member("demo", ANN, Role::Editor).await;
    with_browser(|browser| async move {
        let desk = Desk::new(&app, browser).await;
        desk.sign_in(ANN).await;
        desk.open("/console/talk?what=persona:support-agent").await;
        let engine = |status: u16, error: &str| {
            Fault::status(FaultTarget::Engine, status).with_body(json!({ "error": error }))
        };
        for (fault, words) in [
            (engine(429, "Concurrent session limit reached"), "are taken"),
            (engine(402, "No plan"), "has no plan"),
            (engine(404, "Not found"), "An avatar or a voice"),
            (Fault::status(FaultTarget::Mint, 401), "Anam"),
        ] {
            app.anam.fault(fault);
            desk.press("#talk-start").await;
            desk.shows("#talk-trouble", words).await;
            desk.shows("#talk-status", "There is no conversation.").await;
            app.anam.clear();
        }
        look(&desk, "a trouble").await;

        // A microphone that the browser keeps to itself: the conversation goes on without.
        desk.of_page(
            "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('Permission denied', 'NotAllowedError'));",
        )
        .await;
        desk.press("#talk-start").await;
        desk.shows("#talk-trouble", "does not let this page hear you").await;
        desk.shows("#talk-status", "is here.").await;
        look(&desk, "a microphone denied").await;
        desk.press("#talk-stop").await;

        // What a release would refuse, with its place.
        let key = app.admin_key("demo", Role::Editor).await;
        let path = "/v1/admin/documents/persona/support-agent";
        let live = body(app.ask(Method::GET, path, &key).await, 200).await;
        let mut content = live["content"].clone();
        content["avatarId"] = json!("00000000-0000-4000-8000-000000000001");
        let draft = json!({ "content": content });
        body(app.tell(Method::POST, &format!("{path}/drafts"), &key, &draft).await, 201).await;
        desk.open("/console/talk?what=persona:support-agent").await;
        desk.press("#talk-start").await;
        desk.shows("#talk-trouble", "/use/0/avatarId").await;
        app.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_sdk_the_page_says_how_to_get_it_and_with_it_serves_it_as_it_is() {
    let (without, with) = (spawn().await, with_sdk(false).await);
    for app in [&without, &with] {
        app.member("demo", ANN, Role::Editor).await;
    }
    let script =
        async |app: &TestApp, path: &str| app.http.get(app.url(path)).send().await.unwrap();
    assert_eq!(
        script(&without, "/console/talk/anam.js").await.status(),
        404
    );
    let served = script(&with, "/console/talk/anam.js").await;
    assert_eq!(
        served.headers()["content-type"],
        "text/javascript; charset=utf-8"
    );
    assert_eq!(served.bytes().await.unwrap(), umd());
    let licence = script(&with, "/console/talk/anam.LICENSE.txt")
        .await
        .text()
        .await
        .unwrap();
    assert!(licence.contains("@anam-ai/js-sdk@4.27.0") && licence.contains("Licence: MIT"));
    with_browser(|browser| async move {
        let desk = Desk::new(&without, browser).await;
        desk.sign_in(ANN).await;
        desk.open("/console/talk?what=persona:support-agent").await;
        let missing = desk
            .shows(
                "[aria-labelledby=talk-missing]",
                "npm pack @anam-ai/js-sdk@4.27.0",
            )
            .await;
        assert!(missing.contains("console.anam_sdk"), "{missing}");
        assert_eq!(
            desk.of_page("return document.getElementById('talk-start')")
                .await,
            Value::Null
        );
        look(&desk, "without the SDK").await;
        without.stop().await;
        with.stop().await;
    })
    .await;
}

/// What the persona or the user says, as Anam's engine tells it on the data channel: some words of a message, or its last ones.
fn part(message: &str, role: &str, words: &str, is_last: bool) -> Value {
    json!({
        "message_id": message, "content_index": 0, "content": words, "role": role,
        "end_of_speech": is_last, "interrupted": false,
    })
}

/// The lines of a list, and what of the transcript was read out so far.
async fn lines(desk: &Desk<'_>, list: &str) -> Value {
    let script = format!(
        "return [...document.querySelectorAll('#{list} li span')].map((line) => line.textContent);"
    );
    desk.of_page(&script).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_are_there_as_they_are_spoken_and_only_whole_lines_are_read_out() {
    let app = with_sdk(false).await;
    app.member("demo", ANN, Role::Editor).await;
    with_browser(|browser| async move {
        let desk = Desk::new(&app, browser).await;
        desk.sign_in(ANN).await;
        desk.open("/console/talk?what=persona:support-agent").await;
        desk.of_page(include_str!("engine.js")).await;
        // All that a live region is given to read.
        desk.of_page(
            "window.read = [];
            const live = [...document.querySelectorAll('[aria-live], [role=log]')];
            const seen = new MutationObserver((changes) => {
                for (const { target } of changes) {
                    const list = target.parentElement?.closest('#talk-transcript, #talk-speaking') ?? target;
                    if (live.includes(list)) window.read.push(list.innerText);
                }
            });
            for (const id of ['talk-transcript', 'talk-speaking']) {
                seen.observe(document.getElementById(id), { childList: true, characterData: true, subtree: true });
            }",
        )
        .await;
        desk.press("#talk-start").await;
        desk.shows("#talk-status", "is here.").await;
        desk.shows("#talk-write button", "Send").await;
        let minted = app.last_mint();
        let greeting = minted["personaConfig"]["initialMessage"].as_str().unwrap();
        let say = async |parts: &[Value]| {
            for part in parts {
                let script = format!("window.engine.say({part});");
                desk.of_page(&script).await;
            }
        };

        // The greeting stands there before it is said, and once.
        let (first, rest) = greeting.split_at(5);
        say(&[part("1", "persona", first, false)]).await;
        say(&[part("1", "persona", rest, true)]).await;
        say(&[part("2", "persona", "It <b>rains", false)]).await;
        desk.shows("#talk-speaking", "It <b>rains").await;
        assert_eq!(lines(&desk, "talk-transcript").await, json!([greeting]));
        say(&[part("2", "persona", " in Bergen", false)]).await;
        desk.shows("#talk-speaking", "It <b>rains in Bergen").await;
        look(&desk, "words by words").await;

        // Somebody who speaks at the same time ends first, and stays below.
        say(&[part("3", "user", "Always?", true)]).await;
        desk.shows("#talk-transcript", "Always?").await;
        assert_eq!(
            lines(&desk, "talk-transcript").await,
            json!([greeting, "Always?"])
        );
        say(&[part("2", "persona", ", today.", true)]).await;
        desk.shows("#talk-transcript", "today.").await;
        let all = json!([greeting, "It <b>rains in Bergen, today.", "Always?"]);
        assert_eq!(lines(&desk, "talk-transcript").await, all);
        assert_eq!(lines(&desk, "talk-speaking").await, json!([]));
        let read = desk.of_page("return window.read").await;
        let read: Vec<&str> = read
            .as_array()
            .unwrap()
            .iter()
            .map(|text| text.as_str().unwrap())
            .collect();
        let of_rain: Vec<_> = read.iter().filter(|text| text.contains("rains")).collect();
        assert!(!of_rain.is_empty(), "the whole line is read: {read:?}");
        assert!(
            of_rain.iter().all(|text| text.contains("Bergen, today.")),
            "{read:?}"
        );

        // What nobody came to the end of stays, too.
        say(&[part("4", "persona", "And tomor", false)]).await;
        desk.shows("#talk-speaking", "And tomor").await;
        desk.press("#talk-stop").await;
        desk.shows("#talk-transcript li:last-child", "And tomor …")
            .await;
        assert_eq!(lines(&desk, "talk-speaking").await, json!([]));
        app.stop().await;
    })
    .await;
}
