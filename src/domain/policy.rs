//! What a tenant has laid down for all its personas and users.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde_json::{Map, Value};

use super::fault::{Fault, Faults, step};
use super::preferences::{PreferenceField, STANDARD_FIELDS};
use super::settings::Settings;

/// The longest time that a session's inputs may be kept, days.
const MAX_RETENTION_DAYS: u16 = 3_650;

/// The most approvals that a tenant may ask for.
const MAX_APPROVALS: u8 = 5;

/// A tenant's policy document.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// What a persona gets where it says nothing.
    pub defaults: Settings,
    /// What every persona gets, whatever it or the user says.
    pub locks: Settings,
    /// Web origins whose pages may call the user API, besides the gateway's own.
    pub allowed_origins: Vec<Origin>,
    /// Where `time.*` attributes are read; UTC unless set.
    pub time_zone: Tz,
    /// Preferences beyond the standard ones.
    pub preference_fields: BTreeMap<String, PreferenceField>,
    /// Days that a session's inputs stay for replays; 0 keeps none. 30 unless set.
    pub retain_inputs_days: u16,
    /// How many people who did not write a version must approve it before it is released; 0 unless set.
    pub required_approvals: u8,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            defaults: Settings::default(),
            locks: Settings::default(),
            allowed_origins: Vec::new(),
            time_zone: Tz::UTC,
            preference_fields: BTreeMap::new(),
            retain_inputs_days: 30,
            required_approvals: 0,
        }
    }
}

impl Policy {
    /// Reads a policy document; every fault at once.
    pub fn parse(members: &Map<String, Value>) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::new();
        let mut policy = Self::default();
        for (name, value) in members {
            let at = step(name);
            match (name.as_str(), value) {
                ("defaults", Value::Object(settings)) => {
                    policy.defaults = faults.take(&at, Settings::parse(settings)).unwrap_or_default();
                }
                ("locks", Value::Object(settings)) => {
                    policy.locks = faults.take(&at, Settings::parse(settings)).unwrap_or_default();
                }
                ("allowedOrigins", Value::Array(origins)) => {
                    for (index, origin) in origins.iter().enumerate() {
                        match origin.as_str().and_then(Origin::parse) {
                            Some(origin) => policy.allowed_origins.push(origin),
                            None => faults.add(
                                format!("{at}/{index}"),
                                "must be an origin such as https://app.example.com, or http://localhost:* for any local port",
                            ),
                        }
                    }
                }
                ("timeZone", Value::String(zone)) => match zone.parse() {
                    Ok(zone) => policy.time_zone = zone,
                    Err(_) => faults.add(at, "must be an IANA time zone such as Europe/Berlin"),
                },
                ("preferences", Value::Object(fields)) => {
                    for (field, definition) in fields {
                        let at = format!("{at}{}", step(field));
                        if STANDARD_FIELDS.contains(&field.as_str()) {
                            faults.add(at, "is a standard preference and needs no definition");
                        } else if let Some(definition) = faults.take(&at, PreferenceField::parse(field, definition)) {
                            policy.preference_fields.insert(field.clone(), definition);
                        }
                    }
                }
                ("retainInputsDays", Value::Number(days)) => {
                    match days.as_u64().and_then(|days| u16::try_from(days).ok()).filter(|days| *days <= MAX_RETENTION_DAYS) {
                        Some(days) => policy.retain_inputs_days = days,
                        None => faults.add(at, "must be 0 to 3650"),
                    }
                }
                ("requiredApprovals", Value::Number(count)) => {
                    match count.as_u64().and_then(|count| u8::try_from(count).ok()).filter(|count| *count <= MAX_APPROVALS) {
                        Some(count) => policy.required_approvals = count,
                        None => faults.add(at, "must be 0 to 5"),
                    }
                }
                ("defaults" | "locks" | "preferences", _) => faults.add(at, "must be an object"),
                ("allowedOrigins", _) => faults.add(at, "must be a list of origins"),
                ("timeZone", _) => faults.add(at, "must be a text"),
                ("retainInputsDays" | "requiredApprovals", _) => faults.add(at, "must be a number"),
                _ => faults.add(
                    at,
                    "is unknown; a policy has defaults, locks, allowedOrigins, timeZone, preferences, retainInputsDays and requiredApprovals",
                ),
            }
        }
        faults.into_result(policy)
    }

    /// The document that [`Policy::parse`] reads back; what has its default value is left out.
    pub fn to_document(&self) -> Map<String, Value> {
        let mut document = Map::new();
        for (name, settings) in [("defaults", &self.defaults), ("locks", &self.locks)] {
            if *settings != Settings::default()
                && let Ok(value) = serde_json::to_value(settings)
            {
                document.insert(name.into(), value);
            }
        }
        if !self.allowed_origins.is_empty() {
            let origins = self
                .allowed_origins
                .iter()
                .map(|origin| origin.as_str().into())
                .collect();
            document.insert("allowedOrigins".into(), Value::Array(origins));
        }
        if self.time_zone != Tz::UTC {
            document.insert("timeZone".into(), self.time_zone.name().into());
        }
        if !self.preference_fields.is_empty() {
            let fields = self
                .preference_fields
                .iter()
                .map(|(name, field)| (name.clone(), field.to_document()));
            document.insert("preferences".into(), Value::Object(fields.collect()));
        }
        if self.required_approvals != Self::default().required_approvals {
            document.insert("requiredApprovals".into(), self.required_approvals.into());
        }
        if self.retain_inputs_days != Self::default().retain_inputs_days {
            document.insert("retainInputsDays".into(), self.retain_inputs_days.into());
        }
        document
    }

    /// Whether a page of this origin may call the user API.
    pub fn allows_origin(&self, origin: &str) -> bool {
        self.allowed_origins
            .iter()
            .any(|allowed| allowed.matches(origin))
    }
}

/// A web origin (RFC 6454), or any port of a loopback host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin(String);

impl Origin {
    /// `None` unless `scheme://host[:port]` with http or https, or `http://localhost:*`, `http://127.0.0.1:*`.
    pub fn parse(text: &str) -> Option<Self> {
        if matches!(text, "http://localhost:*" | "http://127.0.0.1:*") {
            return Some(Self(text.to_owned()));
        }
        // A URL may hold a `*` in its host, but no browser sends one: an admin who means a wildcard must be told.
        if text.contains('*') {
            return None;
        }
        let url = url::Url::parse(text).ok()?;
        let is_origin =
            matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text;
        is_origin.then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a browser's `Origin` header names this origin.
    pub fn matches(&self, origin: &str) -> bool {
        match self.0.strip_suffix(":*") {
            Some(host) => origin.strip_prefix(host).is_some_and(|port| {
                port.is_empty()
                    || (port.starts_with(':') && port.chars().skip(1).all(|c| c.is_ascii_digit()))
            }),
            None => self.0 == origin,
        }
    }
}

#[cfg(test)]
mod tests;
