//! The mint body, member by member, with Anam's ranges and words.

use serde_json::Value;

use super::rule::{Rule, optional, required};
use super::tools;

/// A free text without a documented limit.
const ANY_TEXT: Rule = Rule::Text(usize::MAX);

const UNIT: Rule = Rule::Number(0.0, 1.0);

/// The whole body of `POST /v1/auth/session-token`.
pub(super) const BODY: Rule = Rule::Shape(&[
    optional("clientLabel", Rule::Text(128)),
    required("personaConfig", Rule::Shape(PERSONA)),
    optional("sessionOptions", SESSION_OPTIONS),
    optional(
        "environment",
        Rule::Never("it names other people's servers; a gateway has no use for it"),
    ),
    optional(
        "widgetConfig",
        Rule::Never("it belongs to the embeddable widget"),
    ),
    optional(
        "expiresIn",
        Rule::Never("it is legacy; a token lives one hour"),
    ),
]);

/// LLM words that are accepted beside UUIDs; the first leaves the talking to the client.
pub(super) const LLM_WORDS: &[&str] = &[
    "CUSTOMER_CLIENT_V1",
    "ANAM_GPT_4O_MINI_V1",
    "ANAM_LLAMA_v3_3_70B_V1",
];

const LEGACY: Rule = Rule::Never("it is a legacy or internal member");

const PERSONA: &[super::rule::Field] = &[
    optional("personaId", Rule::Id),
    optional("name", ANY_TEXT),
    optional("avatarId", Rule::Id),
    optional(
        "avatarModel",
        Rule::OneOf(&["cara-3", "cara-4", "cara-4-latest"]),
    ),
    optional("voiceId", Rule::Id),
    optional("llmId", Rule::IdOr(LLM_WORDS)),
    optional("systemPrompt", ANY_TEXT),
    optional("type", Rule::OneOf(&["ephemeral"])),
    optional("maxSessionLengthSeconds", Rule::Number(1.0, f64::MAX)),
    optional("skipGreeting", Rule::Flag),
    optional("initialMessage", ANY_TEXT),
    optional("uninterruptibleGreeting", Rule::Flag),
    optional("languageCode", Rule::Language),
    optional("voiceDetectionOptions", VOICE_DETECTION),
    optional("voiceGenerationOptions", Rule::Members),
    optional("directorNotes", DIRECTOR_NOTES),
    optional("tools", Rule::Items(&Rule::By(tools::check))),
    optional("toolIds", Rule::Items(&Rule::Id)),
    optional("zeroDataRetention", Rule::Flag),
    optional("enableAudioPassthrough", Rule::Flag),
    optional("brainType", Rule::Never("it is the old name of llmId")),
    optional("personality", LEGACY),
    optional("personaPreset", LEGACY),
    optional("fillerPhrases", LEGACY),
    optional("useFillerPhrases", LEGACY),
    optional("disableBrains", LEGACY),
    optional("metadata", LEGACY),
    optional("fps", LEGACY),
    optional("id", Rule::Never("the member is called personaId")),
];

/// Zero switches a silence rule off.
const VOICE_DETECTION: Rule = Rule::Shape(&[
    optional("endOfSpeechSensitivity", UNIT),
    optional("silenceBeforeSkipTurnSeconds", Rule::Number(0.0, 900.0)),
    optional("silenceBeforeSessionEndSeconds", Rule::Number(0.0, 7200.0)),
    optional("silenceBeforeAutoEndTurnSeconds", Rule::Number(0.5, 10.0)),
    optional("speechEnhancementLevel", UNIT),
]);

const DIRECTOR_NOTES: Rule = Rule::Shape(&[
    optional(
        "presetStyle",
        Rule::OneOf(&[
            "happy",
            "warm",
            "playful",
            "supportive",
            "sad",
            "angry",
            "distressed",
        ]),
    ),
    optional("customStylePrompt", Rule::Text(2000)),
    optional("expressivity", UNIT),
]);

/// `voiceGenerationOptions` of `ElevenLabs` voices, both generations.
pub(super) const ELEVENLABS: Rule = Rule::Shape(&[
    optional("stability", UNIT),
    optional("similarityBoost", UNIT),
    optional("speed", Rule::Number(0.7, 1.2)),
    optional("style", UNIT),
    optional("useSpeakerBoost", Rule::Flag),
    optional("model", ANY_TEXT),
]);

/// `voiceGenerationOptions` of Cartesia voices (Sonic 3).
pub(super) const CARTESIA: Rule = Rule::Shape(&[
    optional("volume", Rule::Number(0.5, 2.0)),
    optional("speed", Rule::Number(0.6, 1.5)),
    optional(
        "emotion",
        Rule::OneOf(&["neutral", "calm", "angry", "content", "sad", "scared"]),
    ),
]);

/// `voiceGenerationOptions` of Fish Audio voices.
pub(super) const FISH: Rule = Rule::Shape(&[
    optional("volume", Rule::Number(0.5, 2.0)),
    optional("speed", Rule::Number(0.5, 2.0)),
]);

const SESSION_OPTIONS: Rule = Rule::Shape(&[
    optional(
        "sessionReplay",
        Rule::Shape(&[optional("enableSessionReplay", Rule::Flag)]),
    ),
    optional("videoQuality", Rule::OneOf(&["high", "auto"])),
    optional("videoWidth", Rule::Whole(1, u64::MAX)),
    optional("videoHeight", Rule::Whole(1, u64::MAX)),
    optional("egress", EGRESS),
    optional("showAIAvatarDisclosure", Rule::Flag),
    optional("region", Rule::OneOf(&["eu", "us-east", "us-west"])),
    optional("regionPolicy", Rule::OneOf(&["preferred", "strict"])),
    optional(
        "voiceDetection",
        Rule::Shape(&[optional("endOfSpeechSensitivity", UNIT)]),
    ),
]);

const EGRESS: Rule = Rule::Shape(&[
    required("mode", Rule::OneOf(&["daily"])),
    required(
        "daily",
        Rule::Shape(&[
            required("roomUrl", Rule::HttpUrl),
            optional("token", ANY_TEXT),
            optional("userName", ANY_TEXT),
        ]),
    ),
]);

/// Video sizes by avatar model: width, height, and whether the avatar must be portrait-capable.
const VIDEO_SIZES: &[(&str, u64, u64, bool)] = &[
    ("cara-3", 720, 480, false),
    ("cara-4", 1152, 768, false),
    ("cara-4", 768, 1152, true),
];

/// Whether this model can be shown in this size.
pub(crate) fn is_known_video_size(model: &str, width: u64, height: u64, portrait: bool) -> bool {
    VIDEO_SIZES.iter().any(|&(of, w, h, needs_portrait)| {
        model.starts_with(of) && (w, h) == (width, height) && (portrait || !needs_portrait)
    })
}

/// The string at this JSON pointer.
pub(super) fn text<'a>(body: &'a Value, pointer: &str) -> Option<&'a str> {
    body.pointer(pointer).and_then(Value::as_str)
}
