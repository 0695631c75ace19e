//! The rows of the catalogue, in the shapes that Anam's lists have.

use serde::Serialize;
use serde_json::Value;

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Avatar {
    pub(crate) id: String,
    pub(crate) display_name: String,
    pub(crate) variant_name: String,
    pub(crate) image_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) landscape_image_url: Option<String>,
    /// Present on avatars that can be shown in portrait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) portrait_image_url: Option<String>,
    pub(crate) available_versions: &'static [&'static str],
    pub(crate) active_version: &'static str,
    pub(crate) description: String,
    pub(crate) display_tags: Vec<&'static str>,
    pub(crate) render_style: &'static str,
    pub(crate) created_by_organization_id: Option<String>,
    pub(crate) created_at: &'static str,
    pub(crate) updated_at: &'static str,
}

/// Who speaks a voice: it decides which `voiceGenerationOptions` make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Provider {
    Cartesia,
    #[serde(rename = "ELEVENLABS")]
    ElevenLabs,
    OpenaiAdvancedVoice,
    FishAudio,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Voice {
    pub(crate) id: String,
    pub(crate) display_name: String,
    pub(crate) provider: Provider,
    pub(crate) provider_model_id: &'static str,
    pub(crate) sample_url: String,
    pub(crate) gender: &'static str,
    pub(crate) country: &'static str,
    pub(crate) description: String,
    pub(crate) display_tags: Vec<&'static str>,
    pub(crate) is_zdr: bool,
    pub(crate) created_by_organization_id: Option<String>,
    pub(crate) created_at: &'static str,
    pub(crate) updated_at: &'static str,
}

/// A language model.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Llm {
    pub(crate) id: String,
    pub(crate) display_name: String,
    pub(crate) description: String,
    #[serde(rename = "llmFormat")]
    pub(crate) format: &'static str,
    pub(crate) urls: Vec<Value>,
    pub(crate) model_name: &'static str,
    pub(crate) metadata: Value,
    pub(crate) display_tags: Vec<&'static str>,
    pub(crate) is_default: bool,
    pub(crate) is_global: bool,
    pub(crate) is_zdr: bool,
    pub(crate) reasoning_effort: Option<&'static str>,
    pub(crate) reasoning_format: Option<&'static str>,
    pub(crate) created_by_organization_id: Option<String>,
    pub(crate) created_at: &'static str,
    pub(crate) updated_at: &'static str,
}

/// A stored tool.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tool {
    pub(crate) id: String,
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) config: Value,
    pub(crate) disable_interruptions: bool,
    pub(crate) usage_count: u32,
    pub(crate) created_at: &'static str,
    pub(crate) updated_at: &'static str,
}

/// A persona stored at Anam, for mints by `personaId`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Persona {
    pub(crate) id: String,
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    #[serde(rename = "personaPreset")]
    pub(crate) preset: &'static str,
    pub(crate) avatar: Avatar,
    pub(crate) avatar_model: &'static str,
    pub(crate) voice: Voice,
    pub(crate) llm_id: String,
    pub(crate) language_code: &'static str,
    #[serde(rename = "isDefaultPersona")]
    pub(crate) is_default: bool,
    pub(crate) enable_audio_passthrough: bool,
    pub(crate) zero_data_retention: bool,
    pub(crate) created_at: &'static str,
    pub(crate) updated_at: &'static str,
}
