//! The mint body, member by member, with Anam's ranges and words.

use serde_json::Value;

use super::rule::{Rule, may, must};

/// A free text without a documented limit.
const ANY_TEXT: Rule = Rule::Text(usize::MAX);

const UNIT: Rule = Rule::Number(0.0, 1.0);

/// The whole body of `POST /v1/auth/session-token`.
pub(super) const BODY: Rule = Rule::Shape(&[
    may("clientLabel", Rule::Text(128)),
    must("personaConfig", Rule::Shape(PERSONA)),
    may("sessionOptions", SESSION_OPTIONS),
    may(
        "environment",
        Rule::Never("it names other people's servers; a gateway has no use for it"),
    ),
    may(
        "widgetConfig",
        Rule::Never("it belongs to the embeddable widget"),
    ),
    may(
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
    may("personaId", Rule::Id),
    may("name", ANY_TEXT),
    may("avatarId", Rule::Id),
    may(
        "avatarModel",
        Rule::OneOf(&["cara-3", "cara-4", "cara-4-latest"]),
    ),
    may("voiceId", Rule::Id),
    may("llmId", Rule::IdOr(LLM_WORDS)),
    may("systemPrompt", ANY_TEXT),
    may("type", Rule::OneOf(&["ephemeral"])),
    may("maxSessionLengthSeconds", Rule::Number(1.0, f64::MAX)),
    may("skipGreeting", Rule::Flag),
    may("initialMessage", ANY_TEXT),
    may("uninterruptibleGreeting", Rule::Flag),
    may("languageCode", Rule::Language),
    may("voiceDetectionOptions", VOICE_DETECTION),
    may("voiceGenerationOptions", Rule::Members),
    may("directorNotes", DIRECTOR_NOTES),
    may("tools", Rule::Items(&Rule::Tool)),
    may("toolIds", Rule::Items(&Rule::Id)),
    may("zeroDataRetention", Rule::Flag),
    may("enableAudioPassthrough", Rule::Flag),
    may("brainType", Rule::Never("it is the old name of llmId")),
    may("personality", LEGACY),
    may("personaPreset", LEGACY),
    may("fillerPhrases", LEGACY),
    may("useFillerPhrases", LEGACY),
    may("disableBrains", LEGACY),
    may("metadata", LEGACY),
    may("fps", LEGACY),
    may("id", Rule::Never("the member is called personaId")),
];

/// Zero switches a silence rule off.
const VOICE_DETECTION: Rule = Rule::Shape(&[
    may("endOfSpeechSensitivity", UNIT),
    may("silenceBeforeSkipTurnSeconds", Rule::Number(0.0, 900.0)),
    may("silenceBeforeSessionEndSeconds", Rule::Number(0.0, 7200.0)),
    may("silenceBeforeAutoEndTurnSeconds", Rule::Number(0.5, 10.0)),
    may("speechEnhancementLevel", UNIT),
]);

const DIRECTOR_NOTES: Rule = Rule::Shape(&[
    may(
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
    may("customStylePrompt", Rule::Text(2000)),
    may("expressivity", UNIT),
]);

/// `voiceGenerationOptions` of `ElevenLabs` voices, both generations.
pub(super) const ELEVENLABS: Rule = Rule::Shape(&[
    may("stability", UNIT),
    may("similarityBoost", UNIT),
    may("speed", Rule::Number(0.7, 1.2)),
    may("style", UNIT),
    may("useSpeakerBoost", Rule::Flag),
    may("model", ANY_TEXT),
]);

/// `voiceGenerationOptions` of Cartesia voices (Sonic 3).
pub(super) const CARTESIA: Rule = Rule::Shape(&[
    may("volume", Rule::Number(0.5, 2.0)),
    may("speed", Rule::Number(0.6, 1.5)),
    may(
        "emotion",
        Rule::OneOf(&["neutral", "calm", "angry", "content", "sad", "scared"]),
    ),
]);

/// `voiceGenerationOptions` of Fish Audio voices.
pub(super) const FISH: Rule = Rule::Shape(&[
    may("volume", Rule::Number(0.5, 2.0)),
    may("speed", Rule::Number(0.5, 2.0)),
]);

const SESSION_OPTIONS: Rule = Rule::Shape(&[
    may(
        "sessionReplay",
        Rule::Shape(&[may("enableSessionReplay", Rule::Flag)]),
    ),
    may("videoQuality", Rule::OneOf(&["high", "auto"])),
    may("videoWidth", Rule::Whole(1, u64::MAX)),
    may("videoHeight", Rule::Whole(1, u64::MAX)),
    may("egress", EGRESS),
    may("showAIAvatarDisclosure", Rule::Flag),
    may("region", Rule::OneOf(&["eu", "us-east", "us-west"])),
    may("regionPolicy", Rule::OneOf(&["preferred", "strict"])),
    may(
        "voiceDetection",
        Rule::Shape(&[may("endOfSpeechSensitivity", UNIT)]),
    ),
]);

const EGRESS: Rule = Rule::Shape(&[
    must("mode", Rule::OneOf(&["daily"])),
    must(
        "daily",
        Rule::Shape(&[
            must("roomUrl", Rule::HttpUrl),
            may("token", ANY_TEXT),
            may("userName", ANY_TEXT),
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
