//! Anam's settings: the same in personas, defaults and locks.

use serde_json::{Value, json};

use super::Definitions;
use super::names::names_of;
use super::words::{Schema, object};
use crate::domain::settings::{
    AvatarModel, Emotion, PresetStyle, Region, RegionPolicy, VideoQuality, bounds,
};

/// Any UUID, whatever its version: Anam's ids are not all version 4.
const UUID: &str = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$";

/// An id of Anam's lists.
pub(super) fn id(about: &str) -> Schema {
    Schema::text(about)
        .pattern(UUID)
        .examples([json!("071b0286-4cce-4808-bee2-e642f1062de3")])
}

/// The members of `Settings`, which personas have beside their texts.
pub(super) fn members() -> Vec<(&'static str, Schema)> {
    vec![
        ("avatarId", id("The avatar: a UUID of Anam's list.")),
        (
            "avatarModel",
            Schema::choice(
                "The model that renders the avatar; left out, the avatar's active version.",
                names_of::<AvatarModel>().iter().copied(),
            ),
        ),
        ("voiceId", id("The voice: a UUID of Anam's list.")),
        (
            "llmId",
            Schema::one_of(
                "The LLM: a UUID of Anam's list, or a name; CUSTOMER_CLIENT_V1 means that the page drives the speech.",
                [
                    Schema::raw(json!({ "type": "string", "pattern": UUID })),
                    Schema::raw(json!({ "type": "string", "enum": bounds::NAMED_LLMS })),
                ],
            ),
        ),
        (
            "languageCode",
            Schema::text("ISO 639-1, for transcription. The gateway sends `en` where nobody says.")
                .pattern("^[a-z]{2}$")
                .examples([json!("en"), json!("de")]),
        ),
        (
            "maxSessionLengthSeconds",
            Schema::whole(
                "Longest session from the start of streaming, in seconds; the plan's own cap holds too. The gateway sends 3600 where nobody says.",
                bounds::SESSION_LENGTH_SECONDS,
            ),
        ),
        (
            "skipGreeting",
            Schema::flag("The persona waits for the user to speak first."),
        ),
        (
            "uninterruptibleGreeting",
            Schema::flag("The greeting can't be interrupted."),
        ),
        (
            "voiceDetectionOptions",
            Schema::link("voiceDetectionOptions"),
        ),
        (
            "voiceGenerationOptions",
            Schema::link("voiceGenerationOptions"),
        ),
        ("directorNotes", Schema::link("directorNotes")),
        (
            "tools",
            Schema::list(
                "Tools written here. Anam's own tools go by id: toolIds.",
                Schema::link("tool"),
            ),
        ),
        (
            "toolIds",
            Schema::list(
                "Tools stored at Anam, by id.",
                id("A tool: a UUID of Anam's list."),
            ),
        ),
        (
            "zeroDataRetention",
            Schema::flag(
                "Nothing of the session is stored at Anam; needs a plan, a voice and an LLM that can.",
            ),
        ),
        ("sessionOptions", Schema::link("sessionOptions")),
    ]
}

/// What the members of settings say about each other.
pub(super) fn agreements(schema: Schema) -> Schema {
    let (small_width, _) = bounds::VIDEO_SIZE_3;
    let large_widths = bounds::VIDEO_SIZES_4.map(|(width, _)| width);
    let is_small = json!({ "properties": { "avatarModel": { "const": AvatarModel::Cara3.as_str() } }, "required": ["avatarModel"] });
    let width = |allowed: Value| json!({ "properties": { "sessionOptions": { "properties": { "videoWidth": { "enum": allowed } } } } });
    schema
        .also(json!({
            "if": is_small,
            "then": {
                "allOf": [
                    { "properties": { "directorNotes": false } },
                    width(json!([small_width])),
                ],
            },
        }))
        .also(json!({
            "if": { "properties": { "avatarModel": { "enum": [AvatarModel::Cara4.as_str(), AvatarModel::Cara4Latest.as_str()] } }, "required": ["avatarModel"] },
            "then": width(json!(large_widths)),
        }))
}

/// `settings` and its parts.
pub(super) fn definitions() -> Definitions {
    let settings = object("Anam's settings, under Anam's own names.", members());
    vec![
        ("settings", agreements(settings)),
        ("voiceDetectionOptions", voice_detection()),
        ("voiceGenerationOptions", voice_generation()),
        ("directorNotes", director_notes()),
        ("sessionOptions", session_options()),
    ]
}

fn voice_detection() -> Schema {
    object(
        "When a turn, or the session, ends in silence; 0 switches a silence rule off.",
        vec![
            (
                "endOfSpeechSensitivity",
                Schema::number(
                    "How soon the persona takes its turn: 0 waits long, 1 answers at once.",
                    &bounds::SHARE,
                ),
            ),
            (
                "silenceBeforeSkipTurnSeconds",
                Schema::number(
                    "Seconds of silence before the persona speaks again.",
                    &bounds::SKIP_TURN_SECONDS,
                ),
            ),
            (
                "silenceBeforeSessionEndSeconds",
                Schema::number(
                    "Seconds of silence before the session ends, which frees the slot of a user who left. The gateway sends 120 where nobody says.",
                    &bounds::SESSION_END_SECONDS,
                ),
            ),
            (
                "silenceBeforeAutoEndTurnSeconds",
                Schema::number(
                    "Seconds of silence before the user's turn ends.",
                    &bounds::AUTO_END_TURN_SECONDS,
                ),
            ),
            (
                "speechEnhancementLevel",
                Schema::number("How much noise is filtered.", &bounds::SHARE),
            ),
        ],
    )
}

fn voice_generation() -> Schema {
    let fields = |unknown: &[&str], speed: &std::ops::RangeInclusive<f64>| {
        let mut properties: serde_json::Map<String, Value> = unknown
            .iter()
            .map(|name| ((*name).to_owned(), Value::Bool(false)))
            .collect();
        properties.insert(
            "speed".into(),
            json!({ "minimum": speed.start(), "maximum": speed.end() }),
        );
        json!({ "properties": properties })
    };
    let elevenlabs = [
        "stability",
        "similarityBoost",
        "style",
        "useSpeakerBoost",
        "model",
    ];
    let no_provider_but = json!([
        fields(&["volume", "emotion"], &bounds::ELEVENLABS_SPEED),
        fields(&elevenlabs, &bounds::CARTESIA_SPEED),
        fields(
            &[elevenlabs.as_slice(), &["emotion"]].concat(),
            &bounds::FISH_AUDIO_SPEED
        ),
    ]);
    object(
        "How the voice speaks: fields of one voice provider only.",
        vec![
            (
                "stability",
                Schema::number("ElevenLabs: how even the voice stays.", &bounds::SHARE),
            ),
            (
                "similarityBoost",
                Schema::number(
                    "ElevenLabs: how close the voice stays to its model.",
                    &bounds::SHARE,
                ),
            ),
            (
                "style",
                Schema::number("ElevenLabs v2: how much style.", &bounds::SHARE),
            ),
            (
                "useSpeakerBoost",
                Schema::flag("ElevenLabs v2: closer to the speaker, a little slower."),
            ),
            (
                "model",
                Schema::text("ElevenLabs v2: the model that speaks."),
            ),
            (
                "volume",
                Schema::number("Cartesia and Fish Audio.", &bounds::VOLUME),
            ),
            (
                "speed",
                Schema::number(
                    "ElevenLabs 0.7 to 1.2, Cartesia 0.6 to 1.5, Fish Audio 0.5 to 2.",
                    &bounds::FISH_AUDIO_SPEED,
                ),
            ),
            (
                "emotion",
                Schema::choice("Cartesia.", names_of::<Emotion>().iter().copied()),
            ),
        ],
    )
    .with("anyOf", no_provider_but)
}

fn director_notes() -> Schema {
    object(
        "Acting directions, on cara-4 only: a ready-made style, or one in words.",
        vec![
            (
                "presetStyle",
                Schema::choice(
                    "A ready-made style.",
                    names_of::<PresetStyle>().iter().copied(),
                ),
            ),
            (
                "customStylePrompt",
                Schema::text("A style in words.").chars(0..=bounds::STYLE_PROMPT_CHARS),
            ),
            (
                "expressivity",
                Schema::number("How much of it.", &bounds::SHARE),
            ),
        ],
    )
    .with(
        "not",
        json!({ "required": ["presetStyle", "customStylePrompt"] }),
    )
}

fn session_options() -> Schema {
    let [wide, tall] = bounds::VIDEO_SIZES_4;
    let sizes = [bounds::VIDEO_SIZE_3, wide, tall];
    let widths = sizes.map(|(width, _)| width);
    let heights = sizes.map(|(_, height)| height);
    let pairs = sizes.map(|(width, height)| {
        json!({ "properties": { "videoWidth": { "const": width }, "videoHeight": { "const": height } } })
    });
    object(
        "Options of the session rather than of the persona.",
        vec![
            (
                "sessionReplay",
                object(
                    "Recording at Anam.",
                    vec![(
                        "enableSessionReplay",
                        Schema::flag(
                            "Whether Anam records the session. The gateway sends false where nobody says.",
                        ),
                    )],
                )
                .required(["enableSessionReplay"]),
            ),
            (
                "videoQuality",
                Schema::choice(
                    "Fixed top bitrate, or one that adapts.",
                    names_of::<VideoQuality>().iter().copied(),
                ),
            ),
            (
                "videoWidth",
                Schema::numbers(
                    "Pixels, together with videoHeight: 720x480 on cara-3, 1152x768 or 768x1152 on cara-4.",
                    &widths,
                ),
            ),
            (
                "videoHeight",
                Schema::numbers("Pixels, together with videoWidth.", &heights),
            ),
            (
                "showAIAvatarDisclosure",
                Schema::flag("Tells the user that an AI speaks."),
            ),
            (
                "region",
                Schema::choice("Where the engine should run.", names_of::<Region>().iter().copied()),
            ),
            (
                "regionPolicy",
                Schema::choice(
                    "Whether another region may serve; strict needs a region.",
                    names_of::<RegionPolicy>().iter().copied(),
                ),
            ),
        ],
    )
    .with(
        "dependentRequired",
        json!({ "videoWidth": ["videoHeight"], "videoHeight": ["videoWidth"] }),
    )
    .also(json!({ "anyOf": pairs }))
    .also(json!({
        "if": { "properties": { "regionPolicy": { "const": "strict" } }, "required": ["regionPolicy"] },
        "then": { "required": ["region"] },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::{
        DirectorNotes, SessionOptions, SessionReplay, Settings, VoiceDetection, VoiceGeneration,
    };

    fn named(schema: &Schema) -> Vec<String> {
        let value = schema.clone().into_value();
        value["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    }

    #[test]
    fn every_member_that_is_read_stands_in_the_schema() {
        let settings: Vec<&str> = members().into_iter().map(|(name, _)| name).collect();
        assert_eq!(settings, names_of::<Settings>());
        assert_eq!(named(&voice_detection()), names_of::<VoiceDetection>());
        assert_eq!(named(&voice_generation()), names_of::<VoiceGeneration>());
        assert_eq!(named(&director_notes()), names_of::<DirectorNotes>());
        let options = session_options();
        assert_eq!(named(&options), names_of::<SessionOptions>());
        let replay = options.into_value()["properties"]["sessionReplay"].clone();
        assert_eq!(named(&Schema::raw(replay)), names_of::<SessionReplay>());
    }
}
