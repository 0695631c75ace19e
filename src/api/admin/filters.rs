//! Filters of searches, read from a query with every fault at once.

use chrono::{DateTime, Datelike, Utc};

use crate::domain::caller::Subject;
use crate::domain::fault::{Faults, step};
use crate::tenants::refusal::Refusal;

/// Longest text to look for, characters.
const MAX_CHARS: usize = 300;

/// Reads filters; [`Filters::finish`] says whether all could be read.
#[derive(Debug, Default)]
pub(super) struct Filters(Faults);

impl Filters {
    /// A moment that Postgres can count to.
    pub(super) fn moment(
        &mut self,
        name: &str,
        moment: Option<DateTime<Utc>>,
    ) -> Option<DateTime<Utc>> {
        let moment = moment?;
        if (1..=9_999).contains(&moment.year()) {
            return Some(moment);
        }
        self.0.add(step(name), "must lie in the years 0001 to 9999");
        None
    }

    /// A text without control characters.
    pub(super) fn text(&mut self, name: &str, text: Option<String>) -> Option<String> {
        let text = text?;
        let fits = !text.is_empty() && text.chars().count() <= MAX_CHARS;
        if fits && !text.chars().any(char::is_control) {
            return Some(text);
        }
        self.0.add(
            step(name),
            format!("must be 1 to {MAX_CHARS} characters, none of them a control character"),
        );
        None
    }

    /// What can be the `sub` of a token.
    pub(super) fn subject(&mut self, name: &str, text: &str) -> Option<Subject> {
        let subject = Subject::parse(text);
        if subject.is_none() {
            let message = "must be 1 to 255 characters, none of them a control character";
            self.0.add(step(name), message);
        }
        subject
    }

    /// One of a few words.
    pub(super) fn word(
        &mut self,
        name: &str,
        text: Option<String>,
        words: &[&str],
    ) -> Option<String> {
        let text = text?;
        if words.contains(&text.as_str()) {
            return Some(text);
        }
        let message = format!("must be one of {}", words.join(", "));
        self.0.add(step(name), message);
        None
    }

    /// A fault of the whole.
    pub(super) fn fault(&mut self, name: &str, message: &str) {
        self.0.add(step(name), message);
    }

    /// Every fault, if there are any.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        match self.0.into_vec() {
            faults if faults.is_empty() => Ok(()),
            faults => Err(Refusal::Invalid(faults)),
        }
    }
}
