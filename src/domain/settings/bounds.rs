//! The ranges that Anam documents for its settings.

use std::ops::RangeInclusive;

/// Sensitivities, stabilities, styles, expressivity.
pub const SHARE: RangeInclusive<f64> = 0.0..=1.0;
/// `silenceBeforeSkipTurnSeconds`.
pub const SKIP_TURN_SECONDS: RangeInclusive<f64> = 0.0..=900.0;
/// `silenceBeforeSessionEndSeconds`.
pub const SESSION_END_SECONDS: RangeInclusive<f64> = 0.0..=7_200.0;
/// `silenceBeforeAutoEndTurnSeconds`.
pub const AUTO_END_TURN_SECONDS: RangeInclusive<f64> = 0.5..=10.0;
/// `volume`.
pub const VOLUME: RangeInclusive<f64> = 0.5..=2.0;
/// `speed` of `ElevenLabs`.
pub const ELEVENLABS_SPEED: RangeInclusive<f64> = 0.7..=1.2;
/// `speed` of Cartesia.
pub const CARTESIA_SPEED: RangeInclusive<f64> = 0.6..=1.5;
/// `speed` of Fish Audio, the widest.
pub const FISH_AUDIO_SPEED: RangeInclusive<f64> = 0.5..=2.0;
/// `maxSessionLengthSeconds`.
pub const SESSION_LENGTH_SECONDS: RangeInclusive<u32> = 1..=86_400;
/// `customStylePrompt`, characters.
pub const STYLE_PROMPT_CHARS: usize = 2_000;
/// `videoWidth` and `videoHeight` of cara-3.
pub const VIDEO_SIZE_3: (u32, u32) = (720, 480);
/// `videoWidth` and `videoHeight` of cara-4.
pub const VIDEO_SIZES_4: [(u32, u32); 2] = [(1152, 768), (768, 1152)];
/// The LLM id of sessions without an LLM of Anam's: the client drives the speech.
pub const CLIENT_LLM: &str = "CUSTOMER_CLIENT_V1";
/// LLM ids that are names.
pub const NAMED_LLMS: [&str; 3] = [CLIENT_LLM, "ANAM_GPT_4O_MINI_V1", "ANAM_LLAMA_v3_3_70B_V1"];
