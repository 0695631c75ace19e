//! The rules for all personas and users of a tenant.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use super::fault::{Fault, Faults, step};
use super::preferences::{PreferenceField, Standard};
use super::quota::Quotas;
use super::rates::Rates;
use super::settings::Settings;
use crate::domain::wrong::Wrong;

/// The longest time that a session's inputs may be kept, days.
pub const MAX_RETENTION_DAYS: u16 = 3_650;
/// The most approvals that a release can need.
pub const MAX_APPROVALS: u8 = 5;
/// The longest time between two readings of Anam's lists, hours: a month.
pub const MAX_SYNC_HOURS: u16 = 720;

/// A tenant's policy document. Its settings are on the heap, so that a new one makes no future larger that holds a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Settings for personas that don't set them.
    pub defaults: Box<Settings>,
    /// Settings that override every persona and user.
    pub locks: Box<Settings>,
    /// Web origins whose pages may call the user API, besides the gateway's own.
    pub allowed_origins: Vec<Origin>,
    /// Where `time.*` attributes are read; UTC unless set.
    pub time_zone: Tz,
    /// Preferences beyond the standard ones.
    pub preference_fields: BTreeMap<String, PreferenceField>,
    /// Days that a session's inputs stay for replays; 0 keeps none. 30 unless set.
    pub retain_inputs_days: u16,
    /// How many people other than its contributors must approve a version before it can be released, 0 to 5; 0 unless set.
    pub required_approvals: u8,
    /// Whether admins who sign in with a password need a second factor; not unless set.
    pub require_second_factor: bool,
    /// Whether and how the catalogue follows Anam's lists; not at all unless set.
    pub catalogue_sync: Option<CatalogueSync>,
    /// What may be used in a day and in a month; no limits unless set.
    pub quotas: Quotas,
    /// How fast users may ask; only the installation's limits hold unless set.
    pub limits: Rates,
}

/// How a tenant's catalogue follows Anam's lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogueSync {
    /// Whether the lists are read on schedule; on demand they always are.
    pub enabled: bool,
    /// Hours between two readings, 1 to 720; 24 unless set.
    pub every_hours: u16,
    /// Whether users may choose entries that are new in Anam's lists at once, before an admin has allowed them.
    pub allow_new: bool,
}

impl Default for CatalogueSync {
    fn default() -> Self {
        Self {
            enabled: true,
            every_hours: 24,
            allow_new: false,
        }
    }
}

impl CatalogueSync {
    fn parse(members: &Map<String, Value>) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::new();
        let mut sync = Self::default();
        for (name, value) in members {
            let at = step(name);
            match (name.as_str(), value) {
                ("enabled", Value::Bool(enabled)) => sync.enabled = *enabled,
                ("allowNew", Value::Bool(allow)) => sync.allow_new = *allow,
                ("everyHours", hours) => match whole(hours, 1, MAX_SYNC_HOURS) {
                    Some(hours) => sync.every_hours = hours,
                    None => faults.add(at, Wrong::whole_range(1, MAX_SYNC_HOURS)),
                },
                ("enabled" | "allowNew", _) => faults.add(at, Wrong::Flag),
                _ => faults.add(
                    at,
                    Wrong::Unknown("enabled, everyHours, allowNew".to_owned())
                        .worded("is unknown; catalogueSync has enabled, everyHours and allowNew"),
                ),
            }
        }
        faults.into_result(sync)
    }

    fn to_whole_document(self) -> Value {
        json!({ "enabled": self.enabled, "everyHours": self.every_hours, "allowNew": self.allow_new })
    }

    /// The document that is read back; what has its default value is left out.
    fn to_document(self) -> Value {
        let usual = Self::default();
        let mut document = Map::new();
        if self.enabled != usual.enabled {
            document.insert("enabled".into(), self.enabled.into());
        }
        if self.every_hours != usual.every_hours {
            document.insert("everyHours".into(), self.every_hours.into());
        }
        if self.allow_new != usual.allow_new {
            document.insert("allowNew".into(), self.allow_new.into());
        }
        Value::Object(document)
    }
}

/// A whole number in a range, given as a JSON number.
fn whole<N: TryFrom<u64> + PartialOrd + Copy>(value: &Value, least: N, most: N) -> Option<N> {
    let number = N::try_from(value.as_u64()?).ok()?;
    (least <= number && number <= most).then_some(number)
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            defaults: Box::default(),
            locks: Box::default(),
            allowed_origins: Vec::new(),
            time_zone: Tz::UTC,
            preference_fields: BTreeMap::new(),
            retain_inputs_days: 30,
            required_approvals: 0,
            require_second_factor: false,
            catalogue_sync: None,
            quotas: Quotas::default(),
            limits: Rates::default(),
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
                    policy.defaults = faults.take(&at, Settings::parse(settings)).map(Box::new).unwrap_or_default();
                }
                ("locks", Value::Object(settings)) => {
                    policy.locks = faults.take(&at, Settings::parse(settings)).map(Box::new).unwrap_or_default();
                }
                ("allowedOrigins", Value::Array(origins)) => {
                    for (index, origin) in origins.iter().enumerate() {
                        match origin.as_str().and_then(Origin::parse) {
                            Some(origin) => policy.allowed_origins.push(origin),
                            None => faults.add(
                                format!("{at}/{index}"),
                                Wrong::Origin,
                            ),
                        }
                    }
                }
                ("timeZone", Value::String(zone)) => match zone.parse() {
                    Ok(zone) => policy.time_zone = zone,
                    Err(_) => faults.add(at, Wrong::Zone("Europe/Berlin")),
                },
                ("preferences", Value::Object(fields)) => {
                    for (field, definition) in fields {
                        let at = format!("{at}{}", step(field));
                        if Standard::named(field).is_some() {
                            faults.add(at, Wrong::StandardPreference);
                        } else if let Some(definition) = faults.take(&at, PreferenceField::parse(field, definition)) {
                            policy.preference_fields.insert(field.clone(), definition);
                        }
                    }
                }
                ("retainInputsDays", days @ Value::Number(_)) => match whole(days, 0, MAX_RETENTION_DAYS) {
                    Some(days) => policy.retain_inputs_days = days,
                    None => faults.add(at, Wrong::range(0, 3_650)),
                },
                ("requiredApprovals", approvals @ Value::Number(_)) => match whole(approvals, 0, MAX_APPROVALS) {
                    Some(approvals) => policy.required_approvals = approvals,
                    None => faults.add(at, Wrong::whole_range(0, MAX_APPROVALS)),
                },
                ("requireSecondFactor", Value::Bool(required)) => policy.require_second_factor = *required,
                ("requireSecondFactor", _) => faults.add(at, Wrong::Flag),
                ("catalogueSync", Value::Object(sync)) => {
                    policy.catalogue_sync = faults.take(&at, CatalogueSync::parse(sync));
                }
                ("quotas", Value::Object(quotas)) => {
                    policy.quotas = faults.take(&at, Quotas::parse(quotas)).unwrap_or_default();
                }
                ("limits", Value::Object(limits)) => {
                    policy.limits = faults.take(&at, Rates::parse(limits)).unwrap_or_default();
                }
                ("defaults" | "locks" | "preferences" | "catalogueSync" | "quotas" | "limits", _) => faults.add(at, Wrong::Object),
                ("allowedOrigins", _) => faults.add(at, Wrong::List.worded("must be a list of origins")),
                ("timeZone", _) => faults.add(at, Wrong::Text),
                ("retainInputsDays" | "requiredApprovals", _) => faults.add(at, Wrong::Number),
                _ => faults.add(
                    at,
                    Wrong::Unknown("defaults, locks, allowedOrigins, timeZone, preferences, retainInputsDays, requiredApprovals, requireSecondFactor, catalogueSync, quotas, limits".to_owned()).worded(
                        "is unknown; a policy has defaults, locks, allowedOrigins, timeZone, preferences, retainInputsDays, requiredApprovals, requireSecondFactor, catalogueSync, quotas and limits",
                    ),
                ),
            }
        }
        faults.into_result(policy)
    }

    /// The document that [`Policy::parse`] reads back; what has its default value is left out.
    pub fn to_document(&self) -> Map<String, Value> {
        let mut document = Map::new();
        for (name, settings) in [("defaults", &self.defaults), ("locks", &self.locks)] {
            if **settings != Settings::default()
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
        if self.require_second_factor {
            document.insert("requireSecondFactor".into(), true.into());
        }
        if let Some(sync) = self.catalogue_sync {
            document.insert("catalogueSync".into(), sync.to_document());
        }
        if !self.quotas.is_empty() {
            document.insert("quotas".into(), Value::Object(self.quotas.to_document()));
        }
        if !self.limits.is_empty() {
            document.insert("limits".into(), Value::Object(self.limits.to_document()));
        }
        document
    }

    /// The whole document, with the members that have their usual value too; `catalogueSync` only where it is set. It reads back as the same
    /// policy.
    pub fn to_whole_document(&self) -> Map<String, Value> {
        let mut document = Map::new();
        for name in ["defaults", "locks", "preferences", "quotas", "limits"] {
            document.insert(name.into(), Value::Object(Map::new()));
        }
        document.insert("allowedOrigins".into(), Value::Array(Vec::new()));
        document.insert("timeZone".into(), self.time_zone.name().into());
        document.insert("retainInputsDays".into(), self.retain_inputs_days.into());
        document.insert("requiredApprovals".into(), self.required_approvals.into());
        document.insert(
            "requireSecondFactor".into(),
            self.require_second_factor.into(),
        );
        document.extend(self.to_document());
        if let Some(sync) = self.catalogue_sync {
            document.insert("catalogueSync".into(), sync.to_whole_document());
        }
        document
    }

    /// Whether `other` asks less of admins than this policy does.
    pub fn is_weakened_by(&self, other: &Self) -> bool {
        (self.require_second_factor && !other.require_second_factor)
            || other.required_approvals < self.required_approvals
    }

    /// Whether a page of this origin may call the user API.
    pub fn allows_origin(&self, origin: &str) -> bool {
        self.allowed_origins
            .iter()
            .any(|allowed| allowed.matches(origin))
    }
}

/// The origins that stand for any port.
const ANY_PORT: [&str; 2] = ["http://localhost:*", "http://127.0.0.1:*"];

/// A web origin (RFC 6454), or any port of a loopback host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin(String);

impl Origin {
    /// `None` unless `scheme://host[:port]` with http or https, or `http://localhost:*`, `http://127.0.0.1:*`.
    pub fn parse(text: &str) -> Option<Self> {
        if ANY_PORT.contains(&text) {
            return Some(Self(text.to_owned()));
        }
        // A URL may hold a `*` in its host, but no browser sends one: an admin who means a wildcard must learn of it.
        if text.contains('*') {
            return None;
        }
        let url = url::Url::parse(text).ok()?;
        let is_origin =
            matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text;
        is_origin.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a browser's `Origin` header names this origin.
    pub fn matches(&self, origin: &str) -> bool {
        Self::naming(origin).any(|text| self.0 == text)
    }

    /// The texts that an allowed origin may have for a browser's `Origin` header to name it: where there are many, one looks
    /// these up instead of asking each.
    pub fn naming(origin: &str) -> impl Iterator<Item = &str> {
        let any_port = ANY_PORT.into_iter().filter(|any| {
            let host = any.strip_suffix(":*").unwrap_or(any);
            origin.strip_prefix(host).is_some_and(|port| {
                port.is_empty()
                    || (port.starts_with(':') && port.chars().skip(1).all(|c| c.is_ascii_digit()))
            })
        });
        // A browser names no `*`.
        let itself = Some(origin).filter(|origin| !origin.contains('*'));
        itself.into_iter().chain(any_port)
    }
}

#[cfg(test)]
mod tests;
