//! Anam's persona settings, in Anam's own field names, with the limits its API documents.
//!
//! The same shape serves a persona version, a tenant's defaults and a tenant's locks. Validation is ours to do:
//! Anam's mint accepts nearly anything and the fault shows only later, in the user's browser.

pub mod bounds;
mod forms;
mod reading;
mod shape;
use self::forms::leaves;
pub use self::forms::{is_language_code, is_uuid_shaped};

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::shape::{LISTS, is_well_shaped};
use super::decimal::Decimal;
use super::fault::{Fault, Faults, step};
use super::tool::references;

/// Everything but the texts (name, prompt, greeting). `None` leaves the choice to the next layer, or to Anam.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// Stock or own avatar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_id: Option<String>,
    /// Rendering model; left out, the avatar's active version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_model: Option<AvatarModel>,
    /// Voice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice_id: Option<String>,
    /// LLM, or `CUSTOMER_CLIENT_V1`. Without one Anam answers with a legacy token that its SDK refuses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub llm_id: Option<String>,
    /// ISO 639-1, for transcription. Anam's sources disagree on its default, so the gateway always sends one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language_code: Option<String>,
    /// Seconds from the start of streaming, 1 to 86,400; the plan's own cap holds too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_session_length_seconds: Option<u32>,
    /// The persona waits for the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_greeting: Option<bool>,
    /// The greeting can't be interrupted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uninterruptible_greeting: Option<bool>,
    /// When a turn, or the session, ends in silence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice_detection_options: Option<VoiceDetection>,
    /// How the voice speaks; must suit the voice's provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice_generation_options: Option<VoiceGeneration>,
    /// Acting directions, cara-4 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub director_notes: Option<DirectorNotes>,
    /// Tools written inline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<Tool>>,
    /// Tools stored at Anam.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_ids: Option<Vec<String>>,
    /// Nothing of the session is stored at Anam; needs a plan, a voice and an LLM that can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zero_data_retention: Option<bool>,
    /// Options of the session rather than the persona.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_options: Option<SessionOptions>,
}

/// Anam's avatar models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AvatarModel {
    /// The third generation.
    #[serde(rename = "cara-3")]
    Cara3,
    /// The fourth generation.
    #[serde(rename = "cara-4")]
    Cara4,
    /// The newest of the fourth; by invitation.
    #[serde(rename = "cara-4-latest")]
    Cara4Latest,
}

impl AvatarModel {
    /// Anam's name of it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cara3 => "cara-3",
            Self::Cara4 => "cara-4",
            Self::Cara4Latest => "cara-4-latest",
        }
    }

    fn is_fourth_generation(self) -> bool {
        matches!(self, Self::Cara4 | Self::Cara4Latest)
    }
}

/// Anam's `voiceDetectionOptions`; 0 switches a silence rule off.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct VoiceDetection {
    /// 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_of_speech_sensitivity: Option<Decimal>,
    /// Seconds, 0 to 900.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence_before_skip_turn_seconds: Option<Decimal>,
    /// Seconds, 0 to 7,200. Frees the slot of a user who left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence_before_session_end_seconds: Option<Decimal>,
    /// Seconds, 0.5 to 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence_before_auto_end_turn_seconds: Option<Decimal>,
    /// 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speech_enhancement_level: Option<Decimal>,
}

/// Anam's `voiceGenerationOptions`, all providers' fields; [`VoiceGeneration::families`] tells which fit together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct VoiceGeneration {
    /// `ElevenLabs`, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stability: Option<Decimal>,
    /// `ElevenLabs`, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub similarity_boost: Option<Decimal>,
    /// `ElevenLabs` v2, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub style: Option<Decimal>,
    /// `ElevenLabs` v2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_speaker_boost: Option<bool>,
    /// `ElevenLabs` v2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Cartesia and Fish, 0.5 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<Decimal>,
    /// `ElevenLabs` 0.7 to 1.2, Cartesia 0.6 to 1.5, Fish 0.5 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<Decimal>,
    /// Cartesia.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emotion: Option<Emotion>,
}

/// Cartesia's emotions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Emotion {
    Neutral,
    Calm,
    Angry,
    Content,
    Sad,
    Scared,
}

/// Anam's `directorNotes`: one style at most.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DirectorNotes {
    /// A ready-made style.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset_style: Option<PresetStyle>,
    /// A style in words, up to 2,000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_style_prompt: Option<String>,
    /// 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expressivity: Option<Decimal>,
}

/// Anam's ready-made acting styles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum PresetStyle {
    Happy,
    Warm,
    Playful,
    Supportive,
    Sad,
    Angry,
    Distressed,
}

/// One inline tool. Its shape depends on `type` (and `subtype`), so the rest is checked in [`Settings::check`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tool(pub Map<String, Value>);

/// Anam's `sessionOptions`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SessionOptions {
    /// Recording, which Anam switches on unless told otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_replay: Option<SessionReplay>,
    /// Fixed top bitrate, or one that adapts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_quality: Option<VideoQuality>,
    /// Pixels; with its height one of the pairs that the model knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_width: Option<u32>,
    /// Pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_height: Option<u32>,
    /// Tells the user that an AI speaks.
    #[serde(
        rename = "showAIAvatarDisclosure",
        skip_serializing_if = "Option::is_none"
    )]
    pub show_ai_avatar_disclosure: Option<bool>,
    /// Where the engine should run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// Whether another region may serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region_policy: Option<RegionPolicy>,
}

/// Anam's `sessionReplay`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionReplay {
    /// Whether Anam records the session.
    pub enable_session_replay: bool,
}

/// Anam's video qualities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum VideoQuality {
    High,
    Auto,
}

/// Anam's regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Region {
    Eu,
    UsEast,
    UsWest,
}

/// Whether another region may serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum RegionPolicy {
    Preferred,
    Strict,
}

/// Which voice providers a set of voice generation options can be for; Anam's names.
pub const ELEVENLABS: &str = "ELEVENLABS";
/// Anam's name of Cartesia.
pub const CARTESIA: &str = "CARTESIA";
/// Anam's name of Fish Audio.
pub const FISH_AUDIO: &str = "FISH_AUDIO";

impl VoiceGeneration {
    /// The providers that know every field given here.
    pub fn families(&self) -> Vec<&'static str> {
        let elevenlabs_only = self.stability.is_some()
            || self.similarity_boost.is_some()
            || self.style.is_some()
            || self.use_speaker_boost.is_some()
            || self.model.is_some();
        let cartesia_only = self.emotion.is_some();
        let no_elevenlabs = self.volume.is_some() || cartesia_only;
        let mut families = Vec::new();
        if !no_elevenlabs && within(self.speed, &bounds::ELEVENLABS_SPEED) {
            families.push(ELEVENLABS);
        }
        if !elevenlabs_only && within(self.speed, &bounds::CARTESIA_SPEED) {
            families.push(CARTESIA);
        }
        if !elevenlabs_only && !cartesia_only && within(self.speed, &bounds::FISH_AUDIO_SPEED) {
            families.push(FISH_AUDIO);
        }
        families
    }
}

fn within(value: Option<Decimal>, range: &RangeInclusive<f64>) -> bool {
    value.is_none_or(|value| {
        let end = |end: f64| Decimal::from_f64(end).unwrap_or(Decimal::ZERO);
        (end(*range.start())..=end(*range.end())).contains(&value)
    })
}

impl Settings {
    /// Reads settings member by member, so that every wrong one is told at once.
    pub fn parse(members: &Map<String, Value>) -> Result<Self, Vec<Fault>> {
        match Self::read(members) {
            (settings, faults) if faults.is_empty() => Ok(settings),
            (_, faults) => Err(faults),
        }
    }

    /// The members that can be read, and every fault.
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
            let is_list = LISTS.contains(&name.as_str()) && value.is_array();
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

    /// What Anam must be told and these settings don't say: without it no session can be given.
    pub fn missing(&self) -> impl Iterator<Item = &'static str> {
        [
            ("avatarId", self.avatar_id.is_none()),
            ("voiceId", self.voice_id.is_none()),
            ("llmId", self.llm_id.is_none()),
        ]
        .into_iter()
        .filter_map(|(field, is_missing)| is_missing.then_some(field))
    }

    /// Every limit that Anam documents and these settings break.
    pub fn check(&self) -> Vec<Fault> {
        let mut faults = Faults::new();
        for (name, id) in [
            ("avatarId", &self.avatar_id),
            ("voiceId", &self.voice_id),
            ("llmId", &self.llm_id),
        ] {
            if let Some(id) = id
                && !(is_uuid_shaped(id)
                    || (name == "llmId" && bounds::NAMED_LLMS.contains(&id.as_str())))
            {
                faults.add(step(name), "must be the UUID that Anam's lists show");
            }
        }
        for (at, id) in self.tool_ids.iter().flatten().enumerate() {
            if !is_uuid_shaped(id) {
                faults.add(
                    format!("/toolIds/{at}"),
                    "must be the UUID that Anam's lists show",
                );
            }
        }
        if let Some(code) = &self.language_code
            && !is_language_code(code)
        {
            faults.add(
                "/languageCode",
                "must be an ISO 639-1 code of two small letters, such as `en`",
            );
        }
        if let Some(seconds) = self.max_session_length_seconds
            && !bounds::SESSION_LENGTH_SECONDS.contains(&seconds)
        {
            faults.add("/maxSessionLengthSeconds", "must be 1 to 86400");
        }
        self.check_voice(&mut faults);
        self.check_directions(&mut faults);
        self.check_session_options(&mut faults);
        for (at, tool) in self.tools.iter().flatten().enumerate() {
            faults.extend_under(&format!("/tools/{at}"), tool.check());
        }
        let tools = self.tools.as_deref().unwrap_or_default();
        faults.extend_under("", references::check_number(tools));
        faults.into_vec()
    }

    /// Whether these settings are right where `model` renders the avatar: acting directions and video sizes depend on it.
    pub fn suit(&self, model: AvatarModel) -> bool {
        let rendered = Self {
            avatar_model: Some(model),
            ..self.clone()
        };
        rendered.check().is_empty()
    }

    fn check_voice(&self, faults: &mut Faults) {
        if let Some(voice) = &self.voice_detection_options {
            let at = "/voiceDetectionOptions";
            range(
                faults,
                at,
                "endOfSpeechSensitivity",
                voice.end_of_speech_sensitivity,
                bounds::SHARE,
            );
            range(
                faults,
                at,
                "silenceBeforeSkipTurnSeconds",
                voice.silence_before_skip_turn_seconds,
                bounds::SKIP_TURN_SECONDS,
            );
            range(
                faults,
                at,
                "silenceBeforeSessionEndSeconds",
                voice.silence_before_session_end_seconds,
                bounds::SESSION_END_SECONDS,
            );
            range(
                faults,
                at,
                "silenceBeforeAutoEndTurnSeconds",
                voice.silence_before_auto_end_turn_seconds,
                bounds::AUTO_END_TURN_SECONDS,
            );
            range(
                faults,
                at,
                "speechEnhancementLevel",
                voice.speech_enhancement_level,
                bounds::SHARE,
            );
        }
        if let Some(voice) = &self.voice_generation_options {
            let at = "/voiceGenerationOptions";
            range(faults, at, "stability", voice.stability, bounds::SHARE);
            range(
                faults,
                at,
                "similarityBoost",
                voice.similarity_boost,
                bounds::SHARE,
            );
            range(faults, at, "style", voice.style, bounds::SHARE);
            range(faults, at, "volume", voice.volume, bounds::VOLUME);
            range(faults, at, "speed", voice.speed, bounds::FISH_AUDIO_SPEED);
            if voice.families().is_empty() {
                faults.add(at, "mixes fields of several voice providers, or its speed is out of its provider's range");
            }
        }
    }

    fn check_directions(&self, faults: &mut Faults) {
        let Some(notes) = &self.director_notes else {
            return;
        };
        let at = "/directorNotes";
        if notes.preset_style.is_some() && notes.custom_style_prompt.is_some() {
            faults.add(at, "takes presetStyle or customStylePrompt, not both");
        }
        if notes
            .custom_style_prompt
            .as_ref()
            .is_some_and(|text| text.chars().count() > bounds::STYLE_PROMPT_CHARS)
        {
            faults.add(
                format!("{at}/customStylePrompt"),
                "must be 2000 characters at most",
            );
        }
        range(
            faults,
            at,
            "expressivity",
            notes.expressivity,
            bounds::SHARE,
        );
        if self
            .avatar_model
            .is_some_and(|model| !model.is_fourth_generation())
        {
            faults.add(
                at,
                "works on cara-4 only: set avatarModel to cara-4 or leave directorNotes out",
            );
        }
    }

    fn check_session_options(&self, faults: &mut Faults) {
        let Some(options) = &self.session_options else {
            return;
        };
        let at = "/sessionOptions";
        match (options.video_width, options.video_height) {
            (None, None) => {}
            (Some(width), Some(height)) => {
                let is_small = (width, height) == bounds::VIDEO_SIZE_3;
                let is_large = bounds::VIDEO_SIZES_4.contains(&(width, height));
                let fits = match self.avatar_model {
                    Some(AvatarModel::Cara3) => is_small,
                    Some(_) => is_large,
                    None => is_small || is_large,
                };
                if !fits {
                    faults.add(
                        format!("{at}/videoWidth"),
                        "videoWidth x videoHeight must be 720x480 on cara-3, 1152x768 or 768x1152 on cara-4",
                    );
                }
            }
            _ => faults.add(at, "needs videoWidth and videoHeight together"),
        }
        if options.region_policy == Some(RegionPolicy::Strict) && options.region.is_none() {
            faults.add(format!("{at}/regionPolicy"), "strict needs a region");
        }
    }

    /// Lays `over` on top of these settings, member by member; nested objects member by member too.
    /// The map notes, for each member that ended up set, which of the two it came from.
    #[must_use]
    pub fn overlaid(&self, over: &Self, winners: &mut BTreeMap<String, bool>) -> Self {
        let (Ok(Value::Object(mut base)), Ok(Value::Object(top))) =
            (serde_json::to_value(self), serde_json::to_value(over))
        else {
            return self.clone();
        };
        for path in leaves(&base) {
            winners.insert(path, false);
        }
        for path in leaves(&top) {
            winners.insert(path, true);
        }
        lay(&mut base, top);
        serde_json::from_value(Value::Object(base)).unwrap_or_else(|_| self.clone())
    }

    /// Dotted paths of the members that are set, such as `voiceDetectionOptions.endOfSpeechSensitivity`.
    pub fn set_members(&self) -> Vec<String> {
        match serde_json::to_value(self) {
            Ok(Value::Object(members)) => leaves(&members),
            _ => Vec::new(),
        }
    }
}

/// Objects whose members are merged one by one; every other value wins or loses whole.
const MERGED: [&str; 3] = ["voiceDetectionOptions", "sessionOptions", "sessionReplay"];

fn lay(base: &mut Map<String, Value>, top: Map<String, Value>) {
    for (name, value) in top {
        match (base.get_mut(&name), value) {
            (Some(Value::Object(below)), Value::Object(above))
                if MERGED.contains(&name.as_str()) =>
            {
                lay(below, above);
            }
            (_, value) => {
                base.insert(name, value);
            }
        }
    }
}

fn range(
    faults: &mut Faults,
    at: &str,
    name: &str,
    value: Option<Decimal>,
    range: RangeInclusive<f64>,
) {
    if !within(value, &range) {
        faults.add(
            format!("{at}/{name}"),
            format!("must be {} to {}", range.start(), range.end()),
        );
    }
}

#[cfg(test)]
mod tests;
