//! What Anam documents about a mint body, as tables, and what the fields must have in common.

mod agreement;
mod language;
mod rule;
mod shape;
mod tools;

use actix_web::http::StatusCode;
use serde_json::Value;

use super::answer::Refusal;
use super::catalogue::Catalogue;

pub(super) use shape::is_known_video_size;

/// Faults that one refusal names; a body with more is wrong altogether.
const NAMED: usize = 10;

/// One thing that is wrong with a body.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    at: String,
    problem: String,
}

/// The faults found so far.
#[derive(Debug, Default)]
struct Findings(Vec<Fault>);

impl Findings {
    fn add(&mut self, at: &str, problem: impl Into<String>) {
        self.0.push(Fault {
            at: at.to_owned(),
            problem: problem.into(),
        });
    }

    fn describe(&self) -> String {
        let parts: Vec<_> = self
            .0
            .iter()
            .take(NAMED)
            .map(|fault| format!("{}: {}", fault.at, fault.problem))
            .collect();
        parts.join("; ")
    }
}

/// Checks a whole mint body: shape, ranges, ids, and that the fields agree with each other.
pub(super) fn check(body: &Value, catalogue: &Catalogue) -> Result<(), Refusal> {
    let mut findings = Findings::default();
    rule::check(&shape::BODY, "body", body, &mut findings);
    agreement::check(body, catalogue, &mut findings);
    if !findings.0.is_empty() {
        return Err(Refusal::bad_request(findings.describe()));
    }
    if shape::text(body, "/personaConfig/avatarModel") == Some("cara-4-latest") {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "Forbidden",
            "avatarModel `cara-4-latest` is by invitation only.",
        ));
    }
    Ok(())
}
