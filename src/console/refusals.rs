//! Tokens and pages that were refused: why, and what to do.

use askama::Template;
use serde::Deserialize;

use super::frame::{Frame, page};
use super::parts::{At, Listed, query_of};
use super::said::{Said, english};
use super::texts::Texts;
use super::visit::{Answer, Signed};

/// Refusals that are the same one, seen several times.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refusal {
    reason: String,
    meaning: String,
    advice: String,
    #[serde(default)]
    issuer: Option<String>,
    #[serde(default)]
    audience: Option<String>,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    origin: Option<String>,
    others: bool,
    count: i64,
    first_at: At,
    last_at: At,
    #[serde(default)]
    request_id: Option<String>,
}

impl Refusal {
    fn is_of_a_page(&self) -> bool {
        self.reason == "origin_not_allowed"
    }

    /// Whether a limit refused somebody whose token and page are good.
    fn is_of_a_limit(&self) -> bool {
        LIMITS.contains(&self.reason.as_str())
    }
}

/// Reasons that are limits.
const LIMITS: [&str; 3] = ["quota_reached", "rate_limited", "places_taken"];

/// All refusals for one reason.
#[derive(Debug)]
struct Reason {
    name: String,
    meaning: Said,
    advice: Said,
    of_a_page: bool,
    of_a_limit: bool,
    count: i64,
    last: At,
    refusals: Vec<Refusal>,
}

#[derive(Debug, Template)]
#[template(path = "refusals.html")]
struct RefusalsPage {
    frame: Frame,
    reasons: Vec<Reason>,
    /// The one reason that is looked at.
    only: String,
    next: Option<String>,
}

/// Those of the last 30 days, by reason.
pub async fn show(signed: Signed) -> Answer {
    let field = |name| signed.parameter(name).unwrap_or_default();
    let only = field("reason");
    let query = query_of(&[
        ("limit", "100"),
        ("reason", &only),
        ("cursor", &field("cursor")),
    ]);
    let path = format!("/v1/admin/refusals?{query}");
    let list: Listed<Refusal> = signed.api.get(&path).await?;
    let next = list.next_page(&signed);
    Ok(page(&RefusalsPage {
        frame: Frame::new(&signed, signed.texts.say("refusals")),
        reasons: by_reason(signed.texts, list.items),
        only,
        next,
    }))
}

/// Reasons in the order of their newest refusal.
fn by_reason(texts: Texts, refusals: Vec<Refusal>) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = Vec::new();
    for refusal in refusals {
        let known = reasons
            .iter_mut()
            .find(|known| known.name == refusal.reason);
        if let Some(known) = known {
            known.count += refusal.count;
            known.refusals.push(refusal);
            continue;
        }
        reasons.push(Reason {
            name: refusal.reason.clone(),
            meaning: said(texts, &refusal.reason, "", &sentence(&refusal.meaning)),
            advice: said(texts, &refusal.reason, "-do", &refusal.advice),
            of_a_page: refusal.is_of_a_page(),
            of_a_limit: refusal.is_of_a_limit(),
            count: refusal.count,
            last: refusal.last_at.clone(),
            refusals: vec![refusal],
        });
    }
    reasons
}

/// What there is a text for; what the API says otherwise.
fn said(texts: Texts, reason: &str, part: &str, words: &str) -> Said {
    match texts.find(&format!("refused-{reason}{part}")) {
        Some(text) => Said {
            text,
            is_foreign: false,
        },
        None => english(texts, words),
    }
}

/// With a capital letter at its beginning.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}
