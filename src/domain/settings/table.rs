//! The settings of a persona, each described once. A new one is a new entry here.
#![expect(
    clippy::doc_markdown,
    reason = "the comments are descriptions in a JSON Schema too, where names have no backticks"
)]

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bounds;
use super::describe::{ByName, Fallback, Form, Setting, put, settings};
use crate::domain::catalogue_kind::CatalogueKind;
use crate::domain::decimal::Decimal;
use crate::domain::names::names_of;
use crate::domain::tool::Tool;

settings! {
    /// Everything but the texts (name, prompt, greeting). `None` leaves the choice to the next layer, or to Anam.
    pub struct Settings {
        /// The avatar: a UUID of Anam's list.
        avatar_id: String = "avatarId", Form::Id(&[]),
            needed(), ids_of(CatalogueKind::Avatar), users_choose("An avatar of the catalogue.");
        /// The model that renders the avatar; left out, the avatar's active version.
        avatar_model: AvatarModel = "avatarModel", Form::OneOf(names_of::<AvatarModel>);
        /// The voice: a UUID of Anam's list.
        voice_id: String = "voiceId", Form::Id(&[]),
            needed(), ids_of(CatalogueKind::Voice), users_choose("A voice of the catalogue.");
        // Without one Anam answers with a legacy token that its SDK refuses.
        /// The LLM: a UUID of Anam's list, or a name; CUSTOMER_CLIENT_V1 means that the page drives the speech.
        llm_id: String = "llmId", Form::Id(&bounds::NAMED_LLMS),
            needed(), ids_of(CatalogueKind::Llm), users_choose("An LLM of the catalogue.");
        // Anam's sources disagree on its default.
        /// ISO 639-1, for transcription.
        language_code: String = "languageCode", Form::Language,
            fallback(Fallback::Text("en")), ids_of(CatalogueKind::Language), users_choose("A language of the catalogue, ISO 639-1.");
        /// Longest session from the start of streaming, in seconds; the plan's own cap holds too.
        max_session_length_seconds: u32 = "maxSessionLengthSeconds", Form::Whole(1..=86_400),
            fallback(Fallback::Whole(bounds::FALLBACK_SESSION_LENGTH));
        /// The persona waits for the user to speak first.
        skip_greeting: bool = "skipGreeting", Form::Flag;
        /// The greeting can't be interrupted.
        uninterruptible_greeting: bool = "uninterruptibleGreeting", Form::Flag;
        /// When a turn, or the session, ends in silence; 0 switches a silence rule off.
        voice_detection_options: VoiceDetection = "voiceDetectionOptions",
            Form::Group { members: VoiceDetection::TABLE, by_member: true };
        /// How the voice speaks: fields of one voice provider only.
        voice_generation_options: VoiceGeneration = "voiceGenerationOptions",
            Form::Group { members: VoiceGeneration::TABLE, by_member: false };
        /// Acting directions, on cara-4 only: a ready-made style, or one in words.
        director_notes: DirectorNotes = "directorNotes",
            Form::Group { members: DirectorNotes::TABLE, by_member: false };
        /// Tools written here. Anam's own tools go by id: toolIds.
        tools: Vec<Tool> = "tools", Form::Tools;
        /// Tools stored at Anam, by id.
        tool_ids: Vec<String> = "toolIds", Form::Ids("A tool: a UUID of Anam's list."), ids_of(CatalogueKind::Tool);
        /// Nothing of the session is stored at Anam; needs a plan, a voice and an LLM that can.
        zero_data_retention: bool = "zeroDataRetention", Form::Flag;
        /// Options of the session rather than of the persona.
        session_options: SessionOptions = "sessionOptions",
            Form::Group { members: SessionOptions::TABLE, by_member: true };
    }
}

settings! {
    /// Anam's `voiceDetectionOptions`.
    pub struct VoiceDetection {
        /// How soon the persona takes its turn: 0 waits long, 1 answers at once.
        end_of_speech_sensitivity: Decimal = "endOfSpeechSensitivity", Form::Number(bounds::SHARE);
        /// Seconds of silence before the persona speaks again.
        silence_before_skip_turn_seconds: Decimal = "silenceBeforeSkipTurnSeconds", Form::Number(0.0..=900.0);
        // A closed tab would hold its slot for minutes.
        /// Seconds of silence before the session ends, which frees the slot of a user who left.
        silence_before_session_end_seconds: Decimal = "silenceBeforeSessionEndSeconds", Form::Number(0.0..=7_200.0),
            fallback(Fallback::Whole(bounds::FALLBACK_SILENCE_SECONDS));
        /// Seconds of silence before the user's turn ends.
        silence_before_auto_end_turn_seconds: Decimal = "silenceBeforeAutoEndTurnSeconds", Form::Number(0.5..=10.0);
        /// How much noise is filtered.
        speech_enhancement_level: Decimal = "speechEnhancementLevel", Form::Number(bounds::SHARE);
    }
}

settings! {
    /// Anam's `voiceGenerationOptions`, all providers' fields; [`VoiceGeneration::families`] tells which fit together.
    pub struct VoiceGeneration {
        /// ElevenLabs: how even the voice stays.
        stability: Decimal = "stability", Form::Number(bounds::SHARE);
        /// ElevenLabs: how close the voice stays to its model.
        similarity_boost: Decimal = "similarityBoost", Form::Number(bounds::SHARE);
        /// ElevenLabs v2: how much style.
        style: Decimal = "style", Form::Number(bounds::SHARE);
        /// ElevenLabs v2: closer to the speaker, a little slower.
        use_speaker_boost: bool = "useSpeakerBoost", Form::Flag;
        /// ElevenLabs v2: the model that speaks.
        model: String = "model", Form::Text(None);
        /// Cartesia and Fish Audio.
        volume: Decimal = "volume", Form::Number(0.5..=2.0);
        /// ElevenLabs 0.7 to 1.2, Cartesia 0.6 to 1.5, Fish Audio 0.5 to 2.
        speed: Decimal = "speed", Form::Number(bounds::FISH_AUDIO_SPEED);
        /// Cartesia.
        emotion: Emotion = "emotion", Form::OneOf(names_of::<Emotion>);
    }
}

settings! {
    /// Anam's `directorNotes`: one style at most.
    pub struct DirectorNotes {
        /// A ready-made style.
        preset_style: PresetStyle = "presetStyle", Form::OneOf(names_of::<PresetStyle>);
        /// A style in words.
        custom_style_prompt: String = "customStylePrompt", Form::Text(Some(2_000));
        /// How much of it.
        expressivity: Decimal = "expressivity", Form::Number(bounds::SHARE);
    }
}

settings! {
    /// Anam's `sessionOptions`.
    pub struct SessionOptions {
        /// Recording at Anam.
        session_replay: SessionReplay = "sessionReplay", Form::Group { members: SessionReplay::TABLE, by_member: true };
        /// Fixed top bitrate, or one that adapts.
        video_quality: VideoQuality = "videoQuality", Form::OneOf(names_of::<VideoQuality>);
        /// Pixels, together with videoHeight: 720x480 on cara-3, 1152x768 or 768x1152 on cara-4.
        video_width: u32 = "videoWidth", Form::WholeOf(&bounds::VIDEO_WIDTHS);
        /// Pixels, together with videoWidth.
        video_height: u32 = "videoHeight", Form::WholeOf(&bounds::VIDEO_HEIGHTS);
        /// Tells the user that an AI speaks.
        show_ai_avatar_disclosure: bool = "showAIAvatarDisclosure", Form::Flag;
        /// Where the engine should run.
        region: Region = "region", Form::OneOf(names_of::<Region>);
        /// Whether another region may serve; strict needs a region.
        region_policy: RegionPolicy = "regionPolicy", Form::OneOf(names_of::<RegionPolicy>);
    }
}

/// Anam's `sessionReplay`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionReplay {
    /// Whether Anam records the session.
    pub enable_session_replay: bool,
}

impl SessionReplay {
    /// Its one setting, which is always sent. Anam records by default; recording people is for the tenant to switch on.
    pub const TABLE: &'static [Setting] = &[Setting::new(
        "enableSessionReplay",
        "Whether Anam records the session.",
        Form::Flag,
    )
    .needed()
    .fallback(Fallback::Flag(false))];
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
    /// The name that Anam uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cara3 => "cara-3",
            Self::Cara4 => "cara-4",
            Self::Cara4Latest => "cara-4-latest",
        }
    }

    pub(super) fn is_fourth_generation(self) -> bool {
        matches!(self, Self::Cara4 | Self::Cara4Latest)
    }
}

/// Cartesia's emotions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Emotion {
    Neutral,
    Calm,
    Angry,
    Content,
    Sad,
    Scared,
}

/// Anam's ready-made acting styles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PresetStyle {
    Happy,
    Warm,
    Playful,
    Supportive,
    Sad,
    Angry,
    Distressed,
}

/// Anam's video qualities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VideoQuality {
    High,
    Auto,
}

/// Anam's regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Region {
    Eu,
    UsEast,
    UsWest,
}

/// Whether another region may serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RegionPolicy {
    Preferred,
    Strict,
}
