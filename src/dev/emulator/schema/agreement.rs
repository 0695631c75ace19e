//! What no single member can show: members that exclude or need each other, and ids that must exist.

use serde_json::Value;

use super::Findings;
use super::rule::check as check_rule;
use super::shape::{CARTESIA, ELEVENLABS, FISH, LLM_WORDS, is_known_video_size, text};
use crate::dev::emulator::catalogue::{Avatar, Catalogue, Llm, Provider, Voice};

/// Notes where the members of a body disagree, or name what doesn't exist.
pub(super) fn check(body: &Value, catalogue: &Catalogue, findings: &mut Findings) {
    let Some(persona) = body.get("personaConfig").filter(|value| value.is_object()) else {
        return;
    };
    if persona.get("personaId").is_some() {
        stateful(persona, findings);
    } else {
        let named = Named::find(persona, catalogue);
        inline(persona, catalogue, &named, findings);
        voice_options(persona, named.voice, findings);
        director_notes(persona, &named, findings);
        retention(persona, &named, findings);
        video(body, &named, findings);
    }
    session_options(body, findings);
}

/// The rows that a persona names, where they exist.
struct Named<'a> {
    avatar: Option<&'a Avatar>,
    model: &'a str,
    voice: Option<&'a Voice>,
    llm: Option<&'a Llm>,
}

impl<'a> Named<'a> {
    fn find(persona: &'a Value, catalogue: &'a Catalogue) -> Self {
        let avatar = text(persona, "/avatarId").and_then(|id| catalogue.avatar(id));
        Self {
            avatar,
            model: text(persona, "/avatarModel")
                .or(avatar.map(|avatar| avatar.active_version))
                .unwrap_or("cara-3"),
            voice: text(persona, "/voiceId").and_then(|id| catalogue.voice(id)),
            llm: text(persona, "/llmId").and_then(|id| catalogue.llm(id)),
        }
    }

    fn is_cara_4(&self) -> bool {
        self.model.starts_with("cara-4")
    }
}

fn stateful(persona: &Value, findings: &mut Findings) {
    for name in persona
        .as_object()
        .into_iter()
        .flat_map(|members| members.keys())
    {
        if !matches!(name.as_str(), "personaId" | "enableAudioPassthrough") {
            findings.add(
                &format!("body.personaConfig.{name}"),
                "goes with an inline persona only; personaId leaves it without effect",
            );
        }
    }
}

fn inline(persona: &Value, catalogue: &Catalogue, named: &Named<'_>, findings: &mut Findings) {
    let mut named_row = |member: &str, known: bool| {
        let at = format!("body.personaConfig.{member}");
        match text(persona, &format!("/{member}")) {
            None => findings.add(&at, "is missing: an inline persona needs it"),
            Some(id) if !known => findings.add(&at, format!("{id} does not exist")),
            Some(_) => {}
        }
    };
    named_row("avatarId", named.avatar.is_some());
    let speaks = persona.get("enableAudioPassthrough") != Some(&Value::Bool(true));
    if speaks || persona.get("voiceId").is_some() {
        named_row("voiceId", named.voice.is_some());
    }
    let llm = text(persona, "/llmId");
    if let Some(id) = llm {
        named_row("llmId", named.llm.is_some() || LLM_WORDS.contains(&id));
    } else {
        findings.add(
            "body.personaConfig.llmId",
            "is missing: Anam would mint a legacy token, which the SDK refuses in the browser",
        );
    }
    if let Some(avatar) = named.avatar {
        let known =
            named.model == "cara-4-latest" || avatar.available_versions.contains(&named.model);
        if !known {
            findings.add(
                "body.personaConfig.avatarModel",
                format!(
                    "is {}, but avatar {} has {}",
                    named.model,
                    avatar.id,
                    avatar.available_versions.join(", ")
                ),
            );
        }
    }
    let stored = persona.get("toolIds").and_then(Value::as_array);
    for (index, id) in stored.into_iter().flatten().enumerate() {
        if let Some(id) = id.as_str().filter(|id| catalogue.tool(id).is_none()) {
            findings.add(
                &format!("body.personaConfig.toolIds[{index}]"),
                format!("{id} does not exist"),
            );
        }
    }
}

fn voice_options(persona: &Value, voice: Option<&Voice>, findings: &mut Findings) {
    let (Some(options), Some(voice)) = (persona.get("voiceGenerationOptions"), voice) else {
        return;
    };
    let at = "body.personaConfig.voiceGenerationOptions";
    match voice.provider {
        Provider::ElevenLabs => check_rule(&ELEVENLABS, at, options, findings),
        Provider::Cartesia => check_rule(&CARTESIA, at, options, findings),
        Provider::FishAudio => check_rule(&FISH, at, options, findings),
        Provider::OpenaiAdvancedVoice => {
            findings.add(at, format!("voice {} has no such options", voice.id));
        }
    }
}

fn director_notes(persona: &Value, named: &Named<'_>, findings: &mut Findings) {
    let Some(notes) = persona.get("directorNotes") else {
        return;
    };
    let at = "body.personaConfig.directorNotes";
    if notes.get("presetStyle").is_some() && notes.get("customStylePrompt").is_some() {
        findings.add(at, "takes presetStyle or customStylePrompt, not both");
    }
    if !named.is_cara_4() {
        findings.add(
            at,
            format!("needs cara-4; {} drops it in silence", named.model),
        );
    }
}

fn retention(persona: &Value, named: &Named<'_>, findings: &mut Findings) {
    if persona.get("zeroDataRetention") != Some(&Value::Bool(true)) {
        return;
    }
    let at = "body.personaConfig.zeroDataRetention";
    if named.voice.is_some_and(|voice| !voice.is_zdr) {
        findings.add(at, "needs a voice whose isZdr is true");
    }
    if named.llm.is_some_and(|llm| !llm.is_zdr) {
        findings.add(at, "needs an LLM whose isZdr is true");
    }
}

fn video(body: &Value, named: &Named<'_>, findings: &mut Findings) {
    let side = |name: &str| {
        body.pointer(&format!("/sessionOptions/{name}"))
            .and_then(Value::as_u64)
    };
    let (Some(width), Some(height)) = (side("videoWidth"), side("videoHeight")) else {
        return;
    };
    let portrait = named
        .avatar
        .is_some_and(|avatar| avatar.portrait_image_url.is_some());
    if !is_known_video_size(named.model, width, height, portrait) {
        findings.add(
            "body.sessionOptions.videoWidth",
            format!(
                "{width}x{height} is no size of {}: cara-3 has 720x480; cara-4 has 1152x768, and \
                 768x1152 for avatars with a portrait",
                named.model
            ),
        );
    }
}

fn session_options(body: &Value, findings: &mut Findings) {
    let has = |name: &str| body.pointer(&format!("/sessionOptions/{name}")).is_some();
    if has("videoWidth") != has("videoHeight") {
        findings.add(
            "body.sessionOptions",
            "takes videoWidth and videoHeight together or not at all",
        );
    }
    if text(body, "/sessionOptions/regionPolicy") == Some("strict") && !has("region") {
        findings.add("body.sessionOptions.regionPolicy", "strict needs a region");
    }
    let passthrough =
        body.pointer("/personaConfig/enableAudioPassthrough") == Some(&Value::Bool(true));
    if has("egress") && !passthrough {
        findings.add(
            "body.sessionOptions.egress",
            "needs personaConfig.enableAudioPassthrough",
        );
    }
}
