//! Limits and values of settings that are in more than one place.

use std::ops::RangeInclusive;

/// Sensitivities, stabilities, styles, expressivity.
pub const SHARE: RangeInclusive<f64> = 0.0..=1.0;
/// `speed` of `ElevenLabs`.
pub const ELEVENLABS_SPEED: RangeInclusive<f64> = 0.7..=1.2;
/// `speed` of Cartesia.
pub const CARTESIA_SPEED: RangeInclusive<f64> = 0.6..=1.5;
/// `speed` of Fish Audio, the widest.
pub const FISH_AUDIO_SPEED: RangeInclusive<f64> = 0.5..=2.0;
/// `videoWidth` and `videoHeight` of cara-3.
pub const VIDEO_SIZE_3: (u32, u32) = (720, 480);
/// `videoWidth` and `videoHeight` of cara-4.
pub const VIDEO_SIZES_4: [(u32, u32); 2] = [(1152, 768), (768, 1152)];
/// Every `videoWidth`.
pub const VIDEO_WIDTHS: [u32; 3] = [VIDEO_SIZE_3.0, VIDEO_SIZES_4[0].0, VIDEO_SIZES_4[1].0];
/// Every `videoHeight`.
pub const VIDEO_HEIGHTS: [u32; 3] = [VIDEO_SIZE_3.1, VIDEO_SIZES_4[0].1, VIDEO_SIZES_4[1].1];
/// The LLM id of sessions without an LLM of Anam's: the client drives the speech.
pub const CLIENT_LLM: &str = "CUSTOMER_CLIENT_V1";
/// LLM ids that are names.
pub const NAMED_LLMS: [&str; 3] = [CLIENT_LLM, "ANAM_GPT_4O_MINI_V1", "ANAM_LLAMA_v3_3_70B_V1"];
/// `maxSessionLengthSeconds` where nobody says.
pub const FALLBACK_SESSION_LENGTH: u32 = 3_600;
/// `silenceBeforeSessionEndSeconds` where nobody says.
pub const FALLBACK_SILENCE_SECONDS: u32 = 120;
