//! The page: choose, and talk.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, HeaderName, HeaderValue};
use actix_web::{HttpResponse, web};
use askama::Template;

use super::choice::{Choice, Desk};
use super::setup::{self, Setup};
use crate::anam_sdk::{PACKAGE, SdkMissing};
use crate::console::EDITOR;
use crate::console::api::Refused;
use crate::console::contexts::fields::Fields;
use crate::console::contexts::try_view::TryView;
use crate::console::contexts::view::{Choice as Offer, Group};
use crate::console::frame::{Frame, page};
use crate::console::texts::Texts;
use crate::console::visit::{Answer, Form, Signed};

/// States and troubles that the script says, by the names of their texts.
const SAID: [&str; 24] = [
    "talk-asking",
    "talk-connecting",
    "talk-ready",
    "talk-ended",
    "talk-hung-up",
    "talk-no-call",
    "talk-mute",
    "talk-unmute",
    "talk-you",
    "talk-warning",
    "talk-microphone-ask",
    "talk-microphone-denied",
    "talk-microphone-insecure",
    "talk-sdk-failed",
    "talk-lost",
    "talk-closed",
    "talk-unreachable",
    "talk-error-concurrent",
    "talk-error-spend",
    "talk-error-usage",
    "talk-error-plan",
    "talk-error-token",
    "talk-error-busy",
    "talk-error-other",
];

#[derive(Debug, Template)]
#[template(path = "talk/page.html")]
struct TalkPage {
    frame: Frame,
    choice: Choice,
    whom: Vec<Group>,
    states: Vec<Offer>,
    places: Vec<Offer>,
    try_view: TryView,
    said: [&'static str; SAID.len()],
    script: String,
    anam: String,
    is_stand_in: bool,
    missing: Option<SdkMissing>,
    package: &'static str,
    /// Whether anybody could be talked with.
    is_empty: bool,
}

/// The page, as a link leads to it.
pub async fn show(signed: Signed, setup: web::Data<Setup>) -> Answer {
    let query = signed.query().to_owned();
    let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
    let fields = pairs
        .iter()
        .map(|(name, value)| (name.as_ref(), value.as_ref()));
    let choice = Choice::read(&Fields::new(fields));
    draw(&signed, &setup, choice, true).await
}

/// The page after something was chosen: what else there is to choose depends on it.
pub async fn choose(signed: Signed, setup: web::Data<Setup>, sent: Form) -> Answer {
    let choice = Choice::read(&Fields::new(sent.fields()));
    // What was chosen of another document is no choice for this one.
    let is_first = sent.get("shown") != choice.document();
    let choice = if is_first {
        Choice {
            state: String::new(),
            place: None,
            ..choice
        }
    } else {
        choice
    };
    draw(&signed, &setup, choice, is_first).await
}

async fn draw(signed: &Signed, setup: &Setup, mut choice: Choice, is_first: bool) -> Answer {
    let texts = signed.texts;
    if !signed.account.may(EDITOR) {
        let role = texts.say("talk-role");
        return Err(Refused::own(StatusCode::FORBIDDEN, "forbidden", role));
    }
    let desk = Desk::open(&signed.api, &mut choice, is_first).await?;
    let missing = setup.sdk.files().await.err();
    let frame = Frame::new(signed, texts.say("talk"));
    let shown = TalkPage {
        whom: whom(texts, &desk, &choice),
        states: states(&frame, &desk, &choice),
        places: places(texts, &desk, &choice),
        try_view: TryView::new(
            texts,
            &desk.model,
            &[],
            &desk.samples,
            &desk.recent,
            &choice.asked,
            desk.zone(),
        ),
        said: SAID,
        script: setup::script_address(),
        anam: setup.anam.clone(),
        is_stand_in: setup.is_stand_in,
        missing,
        package: PACKAGE,
        is_empty: desk.personas.is_empty() && desk.contexts.is_empty(),
        choice,
        frame,
    };
    Ok(allow(page(&shown), setup))
}

/// This page alone may listen, and connect to Anam.
fn allow(mut page: HttpResponse, setup: &Setup) -> HttpResponse {
    let headers = page.headers_mut();
    if let Ok(policy) = HeaderValue::try_from(&setup.policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static(
            "camera=(), geolocation=(), microphone=(self), payment=(), usb=()",
        ),
    );
    page
}

fn whom(texts: Texts, desk: &Desk, choice: &Choice) -> Vec<Group> {
    let chosen = choice.document();
    let group = |kind: &str, keys: &[String]| Group {
        text: texts.say(&format!("talk-whom-{kind}")),
        choices: keys
            .iter()
            .map(|key| {
                let value = format!("{kind}:{key}");
                Offer {
                    is_chosen: value == chosen,
                    text: key.clone(),
                    value,
                }
            })
            .collect(),
    };
    let groups = [
        group("persona", &desk.personas),
        group("context", &desk.contexts),
    ];
    groups
        .into_iter()
        .filter(|group| !group.choices.is_empty())
        .collect()
}

fn states(frame: &Frame, desk: &Desk, choice: &Choice) -> Vec<Offer> {
    let offer = |value: String, text: String| Offer {
        is_chosen: value == choice.state,
        value,
        text,
    };
    let live = desk
        .live
        .map(|number| offer(String::new(), frame.t1("talk-live", "number", number)));
    let drafts = desk.drafts.iter().map(|draft| {
        let day = draft
            .updated_at
            .get(..16)
            .unwrap_or_default()
            .replace('T', " ");
        offer(
            format!("draft:{}", draft.id),
            frame.t2("talk-draft", ("who", draft.by()), ("at", &day)),
        )
    });
    let versions = desk.versions.iter().map(|version| {
        let number = version.number.to_string();
        let text = if version.message.is_empty() {
            frame.t1("talk-version", "number", number.as_str())
        } else {
            frame.t2(
                "talk-version-said",
                ("number", &number),
                ("message", &version.message),
            )
        };
        offer(format!("version:{number}"), text)
    });
    drafts.chain(live).chain(versions).collect()
}

fn places(texts: Texts, desk: &Desk, choice: &Choice) -> Vec<Offer> {
    let offer = |value: &str, text: String| Offer {
        is_chosen: value == choice.context().unwrap_or_default(),
        value: value.to_owned(),
        text,
    };
    let none = offer("", texts.say("talk-place-none"));
    let contexts = desk.contexts.iter().map(|key| offer(key, key.clone()));
    std::iter::once(none).chain(contexts).collect()
}
