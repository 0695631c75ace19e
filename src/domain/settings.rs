//! Anam's persona settings, in Anam's own field names, with the limits its API documents. `settings/table.rs` describes each of them once.
//!
//! The same shape serves a persona version, a tenant's defaults and a tenant's locks. Validation is ours to do:
//! Anam's mint accepts nearly anything and the fault shows only later, in the user's browser.

mod agreements;
pub mod bounds;
mod describe;
mod forms;
mod layers;
mod limits;
mod reading;
mod shape;
mod table;
mod tools;
mod voice;

pub(in crate::domain) use self::describe::ByName;
pub use self::describe::{Fallback, Form, Setting};
pub use self::forms::is_language_code;
pub use self::limits::NamedId;
use self::limits::within;
pub use self::table::{
    AvatarModel, DirectorNotes, Emotion, PresetStyle, Region, RegionPolicy, SessionOptions,
    SessionReplay, Settings, VideoQuality, VoiceDetection, VoiceGeneration,
};
pub use self::voice::{CARTESIA, ELEVENLABS, FISH_AUDIO, PROVIDERS, Provider};

use serde_json::{Map, Value};

use self::shape::{is_list, is_well_shaped};
use super::fault::{Fault, Faults, step};

impl Settings {
    /// Reads settings member by member, so that every wrong one is reported at once.
    pub fn parse(members: &Map<String, Value>) -> Result<Self, Vec<Fault>> {
        match Self::read(members) {
            (settings, faults) if faults.is_empty() => Ok(settings),
            (_, faults) => Err(faults),
        }
    }

    pub fn read(members: &Map<String, Value>) -> (Self, Vec<Fault>) {
        let mut faults = Faults::new();
        let mut good = Map::new();
        let mut parts = Map::new();
        for (name, value) in members {
            if faults.is_full() {
                break;
            }
            let alone = |value| Value::Object(Map::from_iter([(name.clone(), value)]));
            let error = serde_json::from_value::<Self>(alone(value.clone())).err();
            let is_list = is_list(name) && value.is_array();
            if error.is_none() && (is_list || is_well_shaped(value)) {
                good.insert(name.clone(), value.clone());
            } else if let Some(part) =
                reading::explain(name, value, &alone, error.as_ref(), &mut faults)
            {
                parts.insert(name.clone(), part);
            }
        }
        let of = |members| serde_json::from_value::<Self>(Value::Object(members));
        let settings = of(good.clone()).unwrap_or_default();
        faults.extend_under("", settings.check());
        // What is left of an object with a wrong member is held to its limits, but not to what its members need of each other.
        let places: Vec<String> = parts.keys().map(|name| step(name) + "/").collect();
        good.extend(parts);
        let mut others = of(good).unwrap_or_default().check();
        others.retain(|fault| places.iter().any(|at| fault.pointer.starts_with(at)));
        faults.extend_under("", others);
        (settings, faults.into_vec())
    }

    /// What Anam requires and these settings lack: without it no session can be given.
    pub fn missing(&self) -> impl Iterator<Item = &'static str> {
        let needed = Self::TABLE.iter().filter(|setting| setting.is_needed);
        needed
            .map(|setting| setting.name)
            .filter(|name| !self.has(name))
    }

    /// Every limit that Anam documents and these settings break.
    pub fn check(&self) -> Vec<Fault> {
        let mut faults = Faults::new();
        limits::check(Self::TABLE, "", &self.to_document(), &mut faults);
        self.check_agreements(&mut faults);
        faults.into_vec()
    }
}

#[cfg(test)]
mod tests;
