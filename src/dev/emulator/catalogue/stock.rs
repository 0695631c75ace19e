//! What the catalogue holds at the start. Ids in full are those that Anam prints in its public
//! documentation; the others are derived from their names, so they are the same in every run.

use serde_json::json;

use super::Catalogue;
use super::rows::{Avatar, Llm, Persona, Provider, Tool, Voice};
use crate::dev::emulator::access::derived_id;

const MADE: &str = "2026-01-15T09:00:00.000Z";

const CARA_3: &[&str] = &["cara-3"];
const CARA_3_AND_4: &[&str] = &["cara-3", "cara-4"];

/// How an avatar of the stock can be shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Appearance {
    Cara3,
    Cara4,
    Cara4Portrait,
}

const PRINTED_AVATARS: &[(&str, &str, &str, Appearance)] = &[
    (
        "071b0286-4cce-4808-bee2-e642f1062de3",
        "Liv",
        "home",
        Appearance::Cara3,
    ),
    (
        "30fa96d0-26c4-4e55-94a0-517025942e18",
        "Cara",
        "desk",
        Appearance::Cara4Portrait,
    ),
    (
        "121d5df1-3f3e-4a48-a237-8ff488e9eed8",
        "Leo",
        "desk",
        Appearance::Cara4,
    ),
    (
        "27e12daa-50fc-4384-93c2-ebca73f1f78d",
        "Anne",
        "home",
        Appearance::Cara4Portrait,
    ),
    (
        "ccf00c0e-7302-455b-ace2-057e0cf58127",
        "Kevin",
        "table",
        Appearance::Cara4,
    ),
    (
        "edcb8f1a-334f-4cdb-871c-5c513db806a7",
        "Julia",
        "sofa",
        Appearance::Cara3,
    ),
    (
        "290ef1d5-9201-40f4-8c88-394a6317f10d",
        "Evelyn",
        "desk",
        Appearance::Cara3,
    ),
    (
        "960f614f-ea88-47c3-9883-f02094f70874",
        "Mia",
        "studio",
        Appearance::Cara4,
    ),
];

const MADE_UP_AVATARS: &[&str] = &[
    "Ada", "Bruno", "Chloe", "Dmitri", "Elif", "Farid", "Greta", "Hana", "Ivan", "Jada", "Kofi",
    "Lena", "Marco", "Nadia", "Oscar", "Priya", "Quinn", "Rosa", "Sven", "Tara",
];

const PRINTED_VOICES: &[(&str, &str, Provider, &str, &str)] = &[
    (
        "de23e340-1416-4dd8-977d-065a7ca11697",
        "Lucy",
        Provider::ElevenLabs,
        "FEMALE",
        "GB",
    ),
    (
        "6bfbe25a-979d-40f3-a92b-5394170af54b",
        "Cara",
        Provider::Cartesia,
        "FEMALE",
        "US",
    ),
    (
        "b7274f87-8b72-4c5b-bf52-954768b28c75",
        "Leo",
        Provider::Cartesia,
        "MALE",
        "US",
    ),
    (
        "90313ddc-4fc0-11f1-84b0-52bacf74fa75",
        "Noor",
        Provider::ElevenLabs,
        "FEMALE",
        "NL",
    ),
];

const MADE_UP_VOICES: &[(&str, Provider, &str, &str)] = &[
    ("Fintan", Provider::FishAudio, "MALE", "IE"),
    ("Opal", Provider::OpenaiAdvancedVoice, "FEMALE", "US"),
    ("Amélie", Provider::Cartesia, "FEMALE", "FR"),
    ("Jonas", Provider::ElevenLabs, "MALE", "DE"),
    ("Sofía", Provider::Cartesia, "FEMALE", "ES"),
    ("Kenji", Provider::FishAudio, "MALE", "JP"),
    ("Ingrid", Provider::ElevenLabs, "FEMALE", "SE"),
    ("Mateus", Provider::Cartesia, "MALE", "BR"),
];

const LLMS: &[(&str, &str, &str, &str, bool)] = &[
    (
        "a7cf662c-2ace-4de1-a21e-ef0fbf144bb7",
        "GPT-4o",
        "azure_openai",
        "gpt-4o",
        true,
    ),
    (
        "0934d97d-0c3a-4f33-91b0-5e136a0ef466",
        "GPT-4o mini",
        "openai",
        "gpt-4o-mini",
        false,
    ),
    ("", "Llama 3.3 70B", "groq_openai", "llama-3.3-70b", true),
    ("", "Gemini Flash", "gemini", "gemini-flash", false),
];

impl Catalogue {
    /// The catalogue of a new emulator.
    pub(crate) fn stock() -> Self {
        let avatars = avatars();
        let voices = voices();
        let personas = personas(&avatars, &voices);
        Self {
            avatars,
            voices,
            llms: LLMS.iter().map(llm).collect(),
            tools: tools(),
            personas,
        }
    }
}

fn avatars() -> Vec<Avatar> {
    let printed = PRINTED_AVATARS
        .iter()
        .map(|(id, name, variant, look)| avatar((*id).to_owned(), name, variant, *look));
    let looks = [
        Appearance::Cara3,
        Appearance::Cara4,
        Appearance::Cara4Portrait,
    ]
    .into_iter()
    .cycle();
    let made_up = MADE_UP_AVATARS
        .iter()
        .zip(looks)
        .map(|(name, look)| avatar(derived_id("avatar", name).to_string(), name, "studio", look));
    printed.chain(made_up).collect()
}

fn avatar(id: String, name: &str, variant: &str, look: Appearance) -> Avatar {
    let picture = |shape: &str| format!("https://lab.anam.ai/avatars/{id}/{shape}.png");
    let newest = look != Appearance::Cara3;
    Avatar {
        image_url: picture("thumbnail"),
        landscape_image_url: newest.then(|| picture("landscape")),
        portrait_image_url: (look == Appearance::Cara4Portrait).then(|| picture("portrait")),
        display_name: name.to_owned(),
        variant_name: variant.to_owned(),
        available_versions: if newest { CARA_3_AND_4 } else { CARA_3 },
        active_version: if newest { "cara-4" } else { "cara-3" },
        description: format!("{name}, {variant}"),
        display_tags: vec!["stock", "professional"],
        render_style: "realistic",
        created_by_organization_id: None,
        created_at: MADE,
        updated_at: MADE,
        id,
    }
}

fn voices() -> Vec<Voice> {
    let printed = PRINTED_VOICES
        .iter()
        .map(|(id, name, provider, gender, country)| {
            voice((*id).to_owned(), name, *provider, gender, country)
        });
    let made_up = MADE_UP_VOICES
        .iter()
        .map(|(name, provider, gender, country)| {
            voice(
                derived_id("voice", name).to_string(),
                name,
                *provider,
                gender,
                country,
            )
        });
    printed.chain(made_up).collect()
}

fn voice(
    id: String,
    name: &str,
    provider: Provider,
    gender: &'static str,
    country: &'static str,
) -> Voice {
    Voice {
        sample_url: format!("https://lab.anam.ai/voices/{id}/sample.mp3"),
        id,
        display_name: name.to_owned(),
        provider,
        provider_model_id: match provider {
            Provider::Cartesia => "sonic-3",
            Provider::ElevenLabs => "eleven_turbo_v2_5",
            Provider::OpenaiAdvancedVoice => "gpt-realtime",
            Provider::FishAudio => "s1",
        },
        gender,
        country,
        description: format!("{name} speaks clearly and warmly."),
        display_tags: vec!["conversational"],
        is_zdr: provider == Provider::Cartesia,
        created_by_organization_id: None,
        created_at: MADE,
        updated_at: MADE,
    }
}

fn llm((id, name, format, model, zdr): &(&str, &str, &'static str, &'static str, bool)) -> Llm {
    Llm {
        id: if id.is_empty() {
            derived_id("llm", name).to_string()
        } else {
            (*id).to_owned()
        },
        display_name: (*name).to_owned(),
        description: format!("{name}, run by Anam"),
        format,
        urls: Vec::new(),
        model_name: model,
        metadata: json!({}),
        display_tags: vec!["default"],
        is_default: true,
        is_global: true,
        is_zdr: *zdr,
        reasoning_effort: None,
        reasoning_format: None,
        created_by_organization_id: None,
        created_at: MADE,
        updated_at: MADE,
    }
}

fn tools() -> Vec<Tool> {
    let tool = |name, description, kind, config| Tool {
        id: derived_id("tool", name).to_string(),
        name,
        description,
        kind,
        config,
        disable_interruptions: false,
        usage_count: 0,
        created_at: MADE,
        updated_at: MADE,
    };
    vec![
        tool(
            "open_page",
            "Opens a page of the product for the user.",
            "CLIENT",
            json!({
                "parameters": {"type": "object", "properties": {"page": {"type": "string"}}},
                "awaitResult": true,
                "toolTimeoutSeconds": 10,
            }),
        ),
        tool(
            "order_status",
            "Looks up an order.",
            "SERVER_WEBHOOK",
            json!({"url": "https://hooks.example.com/orders", "method": "POST", "headers": {}}),
        ),
        tool(
            "handbook",
            "Searches the handbook.",
            "SERVER_RAG",
            json!({"documentFolderIds": [derived_id("folder", "handbook")]}),
        ),
        tool(
            "end_call",
            "Ends the conversation.",
            "SYSTEM",
            json!({"action": "end_call"}),
        ),
    ]
}

fn personas(avatars: &[Avatar], voices: &[Voice]) -> Vec<Persona> {
    ["Front desk", "Coach"]
        .into_iter()
        .zip(avatars.iter().zip(voices))
        .map(|(name, (avatar, voice))| Persona {
            id: derived_id("persona", name).to_string(),
            name,
            description: "A persona stored at Anam.",
            preset: "default",
            avatar: avatar.clone(),
            avatar_model: avatar.active_version,
            voice: voice.clone(),
            llm_id: LLMS.first().map(|llm| llm.0.to_owned()).unwrap_or_default(),
            language_code: "en",
            is_default: false,
            enable_audio_passthrough: false,
            zero_data_retention: false,
            created_at: MADE,
            updated_at: MADE,
        })
        .collect()
}
