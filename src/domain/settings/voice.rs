//! Which voice provider has which voice generation options.

use std::ops::RangeInclusive;

use super::describe::ByName;
use super::{VoiceGeneration, bounds, within};

/// Anam's name of `ElevenLabs`.
pub const ELEVENLABS: &str = "ELEVENLABS";
/// Anam's name of Cartesia.
pub const CARTESIA: &str = "CARTESIA";
/// Anam's name of Fish Audio.
pub const FISH_AUDIO: &str = "FISH_AUDIO";

/// A voice provider.
#[derive(Debug)]
pub struct Provider {
    /// The name that Anam uses.
    pub name: &'static str,
    /// The voice generation options that it does not have.
    pub lacks: &'static [&'static str],
    /// How fast its voices speak.
    pub speed: RangeInclusive<f64>,
}

/// The providers whose options Anam documents.
pub const PROVIDERS: [Provider; 3] = [
    Provider {
        name: ELEVENLABS,
        lacks: &["volume", "emotion"],
        speed: bounds::ELEVENLABS_SPEED,
    },
    Provider {
        name: CARTESIA,
        lacks: &[
            "stability",
            "similarityBoost",
            "style",
            "useSpeakerBoost",
            "model",
        ],
        speed: bounds::CARTESIA_SPEED,
    },
    Provider {
        name: FISH_AUDIO,
        lacks: &[
            "stability",
            "similarityBoost",
            "style",
            "useSpeakerBoost",
            "model",
            "emotion",
        ],
        speed: bounds::FISH_AUDIO_SPEED,
    },
];

impl VoiceGeneration {
    /// The providers that know every field given here.
    pub fn families(&self) -> Vec<&'static str> {
        let fits = |provider: &Provider| {
            !provider.lacks.iter().any(|name| self.has(name)) && within(self.speed, &provider.speed)
        };
        let providers = PROVIDERS.into_iter().filter(fits);
        providers.map(|provider| provider.name).collect()
    }
}
