//! What several pages are made of: lists in pages, moments, differences, and faults beside their fields.

use std::fmt;

use actix_web::ResponseError;
use actix_web::http::StatusCode;
use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::de::DeserializeOwned;

use serde::Deserialize;
use serde_json::Value;

use super::api::{Fault, Refused, encode};
use super::said::{Said, together};
use super::visit::{Signed, Visitor};
use crate::domain::language::Language;

/// A page of a list of the API.
#[derive(Debug, Deserialize)]
pub struct Listed<T> {
    pub items: Vec<T>,
    #[serde(default)]
    pub next: Option<String>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            next: None,
        }
    }
}

impl<T> Listed<T> {
    /// The address of what follows: this page's, with another cursor.
    pub fn next_page(&self, visitor: &Visitor) -> Option<String> {
        let next = self.next.as_deref()?;
        let kept = url::form_urlencoded::parse(visitor.query().as_bytes())
            .filter(|(name, _)| name != "cursor" && name != "said");
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(kept)
            .append_pair("cursor", next)
            .finish();
        Some(format!("{}?{query}", visitor.path))
    }
}

/// A list that somebody looks through, by what they look for.
#[derive(Debug)]
pub struct Search<T> {
    pub list: Listed<T>,
    /// The address of what follows.
    pub next: Option<String>,
    /// What is wrong with what they look for.
    pub faults: Faults,
}

impl<T: DeserializeOwned> Search<T> {
    /// Asks a list of the API for what fits a query, and goes on from where the page before ended.
    pub async fn ask(signed: &Signed, path: &str, query: &str) -> Result<Self, Refused> {
        let cursor = signed.parameter("cursor").unwrap_or_default();
        let rest = query_of(&[("limit", "50"), ("cursor", &cursor)]);
        let path = format!("{path}?{rest}&{query}");
        let found = signed.api.get::<Listed<T>>(path.trim_end_matches('&'));
        let (list, faults) = match found.await {
            Ok(list) => (list, Faults::default()),
            Err(refused) if refused.errors.is_empty() => return Err(refused),
            Err(refused) => (Listed::default(), Faults::from(refused)),
        };
        Ok(Self {
            next: list.next_page(signed),
            list,
            faults,
        })
    }
}

/// A moment as the API writes it.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct At(pub String);

impl At {
    /// Nothing where it can't be read.
    pub fn moment(&self) -> Option<DateTime<Utc>> {
        let read = DateTime::parse_from_rfc3339(&self.0).ok();
        read.map(|moment| moment.to_utc())
    }

    /// To the minute, for where no script says it in the reader's zone.
    pub fn brief(&self) -> String {
        match (self.0.get(..10), self.0.get(11..16)) {
            (Some(day), Some(time)) => format!("{day} {time} UTC"),
            _ => self.0.clone(),
        }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is left of quotas.
#[derive(Debug, Deserialize)]
pub struct Quotas {
    pub quotas: Vec<Quota>,
}

/// What is left of one of them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quota {
    /// Its name in the policy.
    pub name: String,
    pub most: i64,
    pub left: i64,
    /// Whether it is nearly used up.
    pub low: bool,
    /// When all of it is there again.
    pub resets_at: At,
}

/// Why the API refused what a form sent.
#[derive(Debug, Default)]
pub struct Faults(Option<Refused>);

impl From<Refused> for Faults {
    fn from(refused: Refused) -> Self {
        Self(Some(refused))
    }
}

impl Faults {
    /// Whether something was refused.
    pub fn any(&self) -> bool {
        self.0.is_some()
    }

    /// The status of the page that tells of it.
    pub fn status(&self) -> StatusCode {
        self.status_or(false)
    }

    /// The same, where the form itself may be at fault.
    pub fn status_or(&self, is_broken: bool) -> StatusCode {
        match &self.0 {
            Some(refused) => refused.status_code(),
            None if is_broken => StatusCode::UNPROCESSABLE_ENTITY,
            None => StatusCode::OK,
        }
    }

    /// Whether somebody else was faster.
    pub fn is_outdated(&self) -> bool {
        self.0
            .as_deref()
            .is_some_and(|refused| refused.status == 412)
    }

    /// Whether it says what is wrong place by place.
    pub fn names_places(&self) -> bool {
        !self.all().is_empty()
    }

    /// The refusal.
    pub fn refused(&self) -> Option<&Refused> {
        self.0.as_ref()
    }

    fn all(&self) -> &[Fault] {
        self.0.as_deref().map_or(&[], |refused| &refused.errors)
    }

    /// What is wrong at a place, or below it.
    pub fn at(&self, pointer: &str) -> Option<Said> {
        let refused = self.0.as_ref()?;
        let faults = refused.errors.iter().filter(|fault| is_at(fault, pointer));
        let said: Vec<Said> = faults.map(|fault| refused.said_of(fault)).collect();
        together(&said)
    }

    /// Faults at none of these places, each with its place.
    pub fn elsewhere<'p>(&self, places: impl AsRef<[&'p str]>) -> Vec<(&str, Said)> {
        let places = places.as_ref();
        let refused = self.0.iter();
        let faults =
            refused.flat_map(|refused| refused.errors.iter().map(move |fault| (refused, fault)));
        faults
            .filter(|(_, fault)| !places.iter().any(|place| is_at(fault, place)))
            .map(|(refused, fault)| (fault.pointer.as_str(), refused.said_of(fault)))
            .collect()
    }
}

fn is_at(fault: &Fault, pointer: &str) -> bool {
    let below = fault.pointer.strip_prefix(pointer);
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What differs at one place of a document.
#[derive(Debug, Deserialize)]
pub struct Change {
    pub pointer: String,
    pub change: String,
    #[serde(default)]
    before: Option<Value>,
    #[serde(default)]
    after: Option<Value>,
    /// A unified diff, of texts of several lines.
    #[serde(default)]
    text: Option<String>,
}

/// A line of a difference.
#[derive(Debug)]
pub struct DiffLine<'a> {
    /// `-`, `+`, or a space.
    pub sign: char,
    pub text: &'a str,
}

impl Change {
    /// What was there before, for people.
    pub fn before(&self) -> String {
        self.before.as_ref().map_or_else(String::new, words_of)
    }

    /// What is there now, for people.
    pub fn after(&self) -> String {
        self.after.as_ref().map_or_else(String::new, words_of)
    }

    /// The lines that differ, with those around them.
    pub fn lines(&self) -> Vec<DiffLine<'_>> {
        let text = self.text.as_deref().unwrap_or_default();
        let lines = text.lines().filter(|line| !line.starts_with("@@"));
        let line = |line: &str| line.chars().next().filter(|sign| "+- ".contains(*sign));
        lines
            .map(|whole| {
                let sign = line(whole).unwrap_or(' ');
                DiffLine {
                    sign,
                    text: whole.strip_prefix(sign).unwrap_or(whole),
                }
            })
            .collect()
    }
}

/// A JSON value for people: texts without quotes, simple lists with commas, everything else as JSON.
pub fn words_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items)
            if items
                .iter()
                .all(|item| !item.is_object() && !item.is_array()) =>
        {
            let items: Vec<String> = items.iter().map(words_of).collect();
            items.join(", ")
        }
        Value::Array(_) | Value::Object(_) => {
            serde_json::to_string_pretty(value).unwrap_or_default()
        }
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A number; what is none goes to the API as it was typed, which says so.
pub fn number(typed: &str) -> Value {
    serde_json::from_str::<serde_json::Number>(typed.trim())
        .map_or_else(|_not_one| typed.into(), Value::Number)
}

/// The languages of mails, with those that are `preferred` first.
pub fn mail_languages(preferred: &[&str]) -> Vec<&'static str> {
    let mut tags = Language::ALL.map(Language::as_str).to_vec();
    let place = |tag: &&str| preferred.iter().position(|preferred| preferred == tag);
    tags.sort_by_key(|tag| place(tag).unwrap_or(usize::MAX));
    tags
}

/// A query of these parameters, without the empty ones.
pub fn query_of(parameters: &[(&str, &str)]) -> String {
    let filled = parameters.iter().filter(|(_, value)| !value.is_empty());
    let pairs: Vec<String> = filled
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    pairs.join("&")
}

/// The moment that a field names in a zone (IANA's name; UTC where there is none of that name). A time that a clock shows twice is the
/// earlier one, one that it leaves out the moment at which it is put forward.
pub fn local_moment(field: &str, zone: &str) -> Option<DateTime<Utc>> {
    let zone: Tz = zone.parse().unwrap_or(Tz::UTC);
    let forms = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
    let read = |form: &&str| NaiveDateTime::parse_from_str(field, form).ok();
    let local = forms.iter().find_map(read).or_else(|| {
        let day = NaiveDate::parse_from_str(field, "%Y-%m-%d").ok()?;
        day.and_hms_opt(0, 0, 0)
    })?;
    let quarters =
        (0..=12).filter_map(|skipped| local.checked_add_signed(TimeDelta::minutes(skipped * 15)));
    let mut moments = quarters.filter_map(|local| local.and_local_timezone(zone).earliest());
    Some(moments.next()?.to_utc())
}

/// The same as the API takes it; what names no moment goes there as it was typed, which says so.
pub fn moment_of(field: &str, zone: &str) -> String {
    local_moment(field, zone).map_or_else(
        || field.to_owned(),
        |moment| moment.to_rfc3339_opts(SecondsFormat::Secs, true),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn faults_stand_beside_their_fields() {
        let faults: Faults = serde_json::from_value::<Refused>(json!({
            "status": 422, "code": "invalid_request", "title": "t",
            "errors": [
                {"pointer": "/name", "message": "is empty"},
                {"pointer": "/names/0", "message": "is long"},
                {"pointer": "/locks/voiceId", "message": "is unknown"},
            ],
        }))
        .map(Faults::from)
        .unwrap_or_default();
        let at = |pointer| faults.at(pointer).map(|said| said.text);
        assert_eq!(at("/name").as_deref(), Some("is empty"));
        assert_eq!(at("/locks").as_deref(), Some("is unknown"));
        assert_eq!(at("/lock"), None);
        let rest = faults.elsewhere(["/name", "/locks"]);
        assert_eq!(rest.len(), 1);
        let (place, said) = &rest[0];
        assert_eq!((*place, said.text.as_str()), ("/names/0", "is long"));
        assert!(!Faults::default().any());
        assert!(Faults::from(Refused::own(StatusCode::CONFLICT, "x", "y")).any());
    }

    #[test]
    fn moments_are_brief_without_a_script() {
        let at = At("2026-11-24T13:35:48.203Z".to_owned());
        assert_eq!(at.brief(), "2026-11-24 13:35 UTC");
        assert_eq!(At("soon".to_owned()).brief(), "soon");
    }

    #[test]
    fn a_field_names_a_moment_in_the_zone_of_whoever_fills_it_in() {
        for (field, zone, moment) in [
            ("2026-11-24T13:35", "", "2026-11-24T13:35:00Z"),
            (
                "2026-11-24T13:35:20",
                "Nowhere/City",
                "2026-11-24T13:35:20Z",
            ),
            ("2026-11-24", "Europe/Berlin", "2026-11-23T23:00:00Z"),
            ("2026-11-24T13:35", "Europe/Berlin", "2026-11-24T12:35:00Z"),
            ("2026-11-24T13:35", "Asia/Kolkata", "2026-11-24T08:05:00Z"),
            // Shown twice, and left out.
            ("2026-10-25T02:30", "Europe/Berlin", "2026-10-25T00:30:00Z"),
            ("2026-03-29T02:30", "Europe/Berlin", "2026-03-29T01:00:00Z"),
            ("tomorrow", "Europe/Berlin", "tomorrow"),
            ("", "Europe/Berlin", ""),
        ] {
            assert_eq!(moment_of(field, zone), moment, "{field} in {zone}");
        }
    }
}
