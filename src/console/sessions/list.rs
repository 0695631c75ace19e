//! Sessions, newest first.

use askama::Template;
use serde::Deserialize;

use crate::console::choices::{RecentUser, keys, recent_users};
use crate::console::frame::{Frame, page_with};
use crate::console::parts::{At, Faults, Listed, Search, moment_of, query_of};
use crate::console::visit::{Answer, Signed};

/// A session in a list.
#[derive(Debug, Deserialize)]
pub struct Session {
    pub id: String,
    pub at: At,
    #[serde(default)]
    pub subject: Option<String>,
    /// What the user is called, where that is known.
    #[serde(default, rename = "userName")]
    pub user_name: Option<String>,
    pub context: String,
    pub persona: Given,
    pub outcome: String,
    #[serde(default)]
    pub code: Option<String>,
    #[serde(default)]
    timings: Option<Timings>,
    /// Who made this test call; `None` of a user's own session.
    #[serde(default, rename = "testBy")]
    pub test_by: Option<String>,
}

/// The persona of a session.
#[derive(Debug, Deserialize)]
pub struct Given {
    pub key: String,
    pub version: i32,
}

#[derive(Debug, Deserialize)]
struct Timings {
    #[serde(default)]
    total: Option<f64>,
}

impl Session {
    /// How long the request for it took, in milliseconds.
    pub fn took(&self) -> String {
        let total = self.timings.as_ref().and_then(|timings| timings.total);
        total.map_or_else(String::new, |total| format!("{total:.0}"))
    }

    /// The colour of its outcome; the words are beside it.
    pub fn colour(&self) -> &'static str {
        colour(&self.outcome)
    }
}

/// The colour of an outcome.
pub fn colour(outcome: &str) -> &'static str {
    match outcome {
        "issued" => "good",
        "failed" => "bad",
        "unknown" => "warn",
        _ => "",
    }
}

/// What is looked for, as the form has it.
#[derive(Debug)]
struct Filter {
    from: String,
    to: String,
    /// Of these moments, as IANA names it; UTC if empty.
    zone: String,
    subject: String,
    context: String,
    persona: String,
    version: String,
    outcome: String,
    code: String,
    request_id: String,
    /// `true`, `false`, or both.
    test: String,
}

impl Filter {
    fn of(signed: &Signed) -> Self {
        let field = |name| signed.parameter(name).unwrap_or_default().trim().to_owned();
        Self {
            from: field("from"),
            to: field("to"),
            zone: field("zone"),
            subject: field("subject"),
            context: field("context"),
            persona: field("persona"),
            version: field("version"),
            outcome: field("outcome"),
            code: field("code"),
            request_id: field("requestId"),
            test: field("test"),
        }
    }

    fn query(&self) -> String {
        query_of(&[
            ("from", &moment_of(&self.from, &self.zone)),
            ("to", &moment_of(&self.to, &self.zone)),
            ("subject", &self.subject),
            ("context", &self.context),
            ("persona", &self.persona),
            ("version", &self.version),
            ("outcome", &self.outcome),
            ("code", &self.code),
            ("requestId", &self.request_id),
            ("test", &self.test),
        ])
    }

    fn is_empty(&self) -> bool {
        self.query().is_empty()
    }

    /// Whether something rarely needed is set.
    fn more(&self) -> bool {
        let rare = [
            &self.from,
            &self.to,
            &self.version,
            &self.code,
            &self.request_id,
            &self.test,
        ];
        rare.iter().any(|field| !field.is_empty())
    }
}

#[derive(Debug, Template)]
#[template(path = "sessions/list.html")]
struct SessionsPage {
    frame: Frame,
    filter: Filter,
    faults: Faults,
    list: Listed<Session>,
    next: Option<String>,
    /// Whom the field for the user offers.
    users: Vec<RecentUser>,
    contexts: Vec<String>,
    personas: Vec<String>,
}

impl SessionsPage {
    /// Whom the text that was given as a user's id may mean.
    fn meant(&self) -> Vec<&RecentUser> {
        let sought = self.filter.subject.as_str();
        let fitting = self.users.iter().filter(|user| user.fits(sought));
        fitting.filter(|_| !sought.is_empty()).take(5).collect()
    }
}

/// The sessions that fit the filters.
pub async fn show(signed: Signed) -> Answer {
    let filter = Filter::of(&signed);
    let Search { list, next, faults } =
        Search::ask(&signed, "/v1/admin/sessions", &filter.query()).await?;
    Ok(page_with(
        faults.status(),
        &SessionsPage {
            frame: Frame::new(&signed, signed.texts.say("sessions")),
            next,
            users: recent_users(&signed.api, "limit=100")
                .await
                .unwrap_or_default(),
            contexts: keys(&signed.api, "context").await.unwrap_or_default(),
            personas: keys(&signed.api, "persona").await.unwrap_or_default(),
            filter,
            faults,
            list,
        },
    ))
}

/// The sessions of one user, for the page about them.
pub async fn of_user(signed: &Signed, subject: &str) -> Listed<Session> {
    let query = query_of(&[("limit", "20"), ("subject", subject)]);
    let path = format!("/v1/admin/sessions?{query}");
    signed.api.get(&path).await.unwrap_or_default()
}
