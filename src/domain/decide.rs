//! The decision: who gets which persona, configured how, and why. Pure, so it can be replayed.

mod texts;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

pub(in crate::domain) use self::texts::PromptNotes;
use self::texts::{own_words, render};
use super::caller::{Caller, Fact};
use super::catalogue_kind::CatalogueKind;
use super::document::DocumentKind;
use super::draw;
use super::fault::Fault;
use super::ids::SessionId;
use super::key::Key;
use super::preferences::{MAX_PROMPT_CHARS, Preferences};
use super::request::{Metadata, MintRequest};
use super::rules::{Attributes, Effort, Lookup, Target, TooMuch};
use super::settings::bounds::FALLBACK_SESSION_LENGTH;
use super::settings::{ByName, SessionOptions, Setting, Settings};
use super::snapshot::{LiveContext, LivePersona, Rollout, Snapshot};
use super::template::{Piece, RenderFault};
use super::text;
use super::trace::{
    ContextFound, PassedOver, PassedOverReason, RolloutDrawn, RuleTried, SplitDrawn, Trace,
    Versioned,
};
use super::winner::Winner;
use super::wrong::Wrong;

/// The time and the session that a decision is made for.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub now: DateTime<Utc>,
    /// The session's id; seeds the prompt's fences.
    pub session: SessionId,
}

/// The configuration to send to Anam, with the explanation.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The key of the context that was used.
    pub context: Key,
    pub persona: Key,
    pub version: i32,
    /// The persona configuration that Anam is sent.
    pub config: PersonaConfig,
    /// Anam's `sessionOptions`.
    pub session_options: SessionOptions,
    pub trace: Trace,
    /// The prompt in pieces that name their sources; empty where the prompt is, or where sources were not recorded.
    pub prompt: Vec<Piece>,
}

impl Decision {
    /// The longest that the conversation may last, seconds.
    pub fn longest(&self) -> u32 {
        let longest = self.config.settings.max_session_length_seconds;
        longest.unwrap_or(FALLBACK_SESSION_LENGTH)
    }
}

/// Anam's `personaConfig`, complete.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PersonaConfig {
    /// Display name; not sent where it rendered empty, which Anam refuses.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The rendered prompt; not sent where it rendered empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub system_prompt: String,
    /// The rendered greeting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_message: Option<String>,
    /// All other settings, without session options, which are sent beside the configuration.
    #[serde(flatten)]
    pub settings: Settings,
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Undecided {
    /// Neither the context nor a `default` exists.
    #[error("unknown context")]
    ContextUnknown { known: Vec<Key> },
    /// The metadata breaks the context's schema.
    #[error("the metadata does not fit the context")]
    MetadataInvalid(Vec<Fault>),
    /// The chosen persona is not live.
    #[error("the persona `{0}` has no live version")]
    PersonaMissing(Key),
    /// A split of this context has no weight at all.
    #[error("a split of the context `{0}` has no weight")]
    NoArm(Key),
    /// The persona lacks a setting that Anam requires.
    #[error("the persona `{persona}` has no {missing}")]
    Incomplete { persona: Key, missing: &'static str },
    /// A rendered text exceeds a limit of size or work.
    #[error("the persona `{persona}` could not be rendered: {text}: {fault}")]
    Unrendered {
        persona: Key,
        /// Pointer of the text in its document; of a snippet, its pin.
        text: String,
        fault: RenderFault,
    },
}

/// Decides which persona a user gets, and with which configuration. Used by the API, previews and replays alike.
pub fn decide(
    snapshot: &Snapshot,
    caller: &Caller,
    preferences: &Preferences,
    request: &MintRequest,
    moment: Moment,
) -> Result<Decision, Undecided> {
    let prompt_notes = PromptNotes::Nothing;
    decide_with(
        snapshot,
        caller,
        preferences,
        request,
        moment,
        None,
        prompt_notes,
    )
}

/// Decides a session again, recording where its prompt comes from. An arm that was drawn in `recorded` is kept, even where an
/// earlier version of the gateway drew differently.
pub fn decide_again(
    snapshot: &Snapshot,
    caller: &Caller,
    preferences: &Preferences,
    request: &MintRequest,
    moment: Moment,
    recorded: Option<&Trace>,
) -> Result<Decision, Undecided> {
    let prompt_notes = PromptNotes::Origins;
    decide_with(
        snapshot,
        caller,
        preferences,
        request,
        moment,
        recorded,
        prompt_notes,
    )
}

fn decide_with(
    snapshot: &Snapshot,
    caller: &Caller,
    preferences: &Preferences,
    request: &MintRequest,
    moment: Moment,
    recorded: Option<&Trace>,
    prompt_notes: PromptNotes,
) -> Result<Decision, Undecided> {
    let (context_key, live) = find_context(snapshot, request)?;
    let mut rollouts = Vec::new();
    let rollout = snapshot.rollouts.contexts.get(context_key);
    let live = version_for(
        DocumentKind::Context,
        context_key,
        live,
        rollout,
        caller,
        &mut rollouts,
    );
    live.context
        .schema
        .check(&request.metadata)
        .map_err(Undecided::MetadataInvalid)?;
    let attributes = Attributes {
        user: &caller.facts,
        preferences,
        metadata: &request.metadata,
        now: moment.now,
        time_zone: snapshot.policy.time_zone,
    };
    let (rules, target) = choose(live, &attributes).map_err(|TooMuch| {
        let message = "takes too long to try the context's rules on; send shorter texts and lists";
        Undecided::MetadataInvalid(vec![Fault::new("", Wrong::TakesLong.worded(message))])
    })?;
    let (persona_key, split) = draw(target, context_key, caller, recorded)
        .ok_or_else(|| Undecided::NoArm(context_key.clone()))?;
    let persona = snapshot
        .personas
        .get(persona_key)
        .ok_or_else(|| Undecided::PersonaMissing(persona_key.clone()))?;
    let rollout = snapshot.rollouts.personas.get(persona_key);
    let persona = version_for(
        DocumentKind::Persona,
        persona_key,
        persona,
        rollout,
        caller,
        &mut rollouts,
    );

    let given = configure(
        snapshot,
        &live.words,
        persona_key,
        persona,
        caller,
        preferences,
        &request.metadata,
        moment,
        prompt_notes,
    )?;
    Ok(Decision {
        context: context_key.clone(),
        persona: persona_key.clone(),
        version: persona.version,
        config: given.config,
        session_options: given.session_options,
        trace: Trace {
            revision: snapshot.revision,
            context: Versioned {
                key: context_key.clone(),
                version: live.version,
                hash: live.hash.clone(),
            },
            context_found: context_found(snapshot, request),
            rules,
            split,
            persona: Versioned {
                key: persona_key.clone(),
                version: persona.version,
                hash: persona.hash.clone(),
            },
            rollouts,
            snippets: persona.persona.snippets.clone(),
            fields: given.winners,
            passed_over: given.passed_over,
            notes: caller.notes().into_iter().chain(given.notes).collect(),
        },
        prompt: given.prompt,
    })
}

/// A persona with its fields merged and its texts rendered for one user.
pub(in crate::domain) struct ConfiguredPersona {
    pub(in crate::domain) config: PersonaConfig,
    session_options: SessionOptions,
    winners: BTreeMap<String, Winner>,
    passed_over: Vec<PassedOver>,
    notes: Vec<String>,
    prompt: Vec<Piece>,
}

/// The second half of a decision: merges the fields of the chosen persona and renders its texts. `words` are the context's values in
/// templates.
#[expect(clippy::too_many_arguments, reason = "a decision has that many sides")]
pub(in crate::domain) fn configure(
    snapshot: &Snapshot,
    words: &Value,
    persona_key: &Key,
    persona: &LivePersona,
    caller: &Caller,
    preferences: &Preferences,
    metadata: &Metadata,
    moment: Moment,
    prompt_notes: PromptNotes,
) -> Result<ConfiguredPersona, Undecided> {
    let mut merge = Merge::new(persona);
    merge.apply_preferences(snapshot, preferences);
    merge.drop_foreign_voice_options(snapshot);
    if let Some(missing) = merge.settings.missing().next() {
        return Err(Undecided::Incomplete {
            persona: persona_key.clone(),
            missing,
        });
    }
    let rendered = render(
        snapshot,
        words,
        persona,
        caller,
        preferences,
        metadata,
        moment,
        prompt_notes,
    )
    .map_err(|(text, fault)| Undecided::Unrendered {
        persona: persona_key.clone(),
        text,
        fault,
    })?;
    merge.notes.extend(rendered.notes);
    let own_prompt = merge.own_prompt(preferences);
    let session_options = merge.settings.session_options.take().unwrap_or_default();
    let (system_prompt, prompt) = match own_prompt {
        Some(own) if prompt_notes == PromptNotes::Origins => (own.clone(), own_words(own)),
        Some(own) => (own, Vec::new()),
        None => (rendered.prompt, rendered.pieces),
    };
    Ok(ConfiguredPersona {
        config: PersonaConfig {
            name: rendered.name,
            system_prompt,
            initial_message: rendered.greeting,
            settings: merge.settings,
        },
        session_options,
        winners: merge.winners,
        passed_over: merge.passed_over,
        notes: merge.notes,
        prompt,
    })
}

fn find_context<'a>(
    snapshot: &'a Snapshot,
    request: &MintRequest,
) -> Result<(&'a Key, &'a LiveContext), Undecided> {
    snapshot
        .context(request.context.as_deref())
        .ok_or_else(|| Undecided::ContextUnknown {
            known: snapshot.contexts.keys().cloned().collect(),
        })
}

/// The version of a document that a user gets: the one in rollout if the user's bucket is included, else the live one.
fn version_for<'a, T: Numbered>(
    kind: DocumentKind,
    key: &Key,
    live: &'a T,
    rollout: Option<&'a Rollout<T>>,
    caller: &Caller,
    drawn: &mut Vec<RolloutDrawn>,
) -> &'a T {
    let Some(rollout) = rollout else {
        return live;
    };
    let bucket = draw::bucket(kind.as_str(), key, caller);
    let included = bucket < rollout.percent;
    drawn.push(RolloutDrawn {
        kind: kind.as_str().to_owned(),
        key: key.clone(),
        version: rollout.version.number(),
        percent: rollout.percent,
        bucket,
        included,
    });
    if included { &rollout.version } else { live }
}

trait Numbered {
    fn number(&self) -> i32;
}

impl Numbered for LiveContext {
    fn number(&self) -> i32 {
        self.version
    }
}

impl Numbered for LivePersona {
    fn number(&self) -> i32 {
        self.version
    }
}

fn context_found(snapshot: &Snapshot, request: &MintRequest) -> ContextFound {
    match request.context.as_deref() {
        None => ContextFound::NotNamed,
        Some(name) if snapshot.contexts.contains_key(name) => ContextFound::ByKey,
        Some(name) if snapshot.aliases.contains_key(name) => ContextFound::ByAlias,
        Some(_) => ContextFound::Unknown,
    }
}

/// The target of the first rule that holds, with the rules that were tried.
fn choose<'a>(
    live: &'a LiveContext,
    attributes: &Attributes<'_>,
) -> Result<(Vec<RuleTried>, &'a Target), TooMuch> {
    let mut tried = Vec::new();
    let mut effort = Effort::default();
    let mut attributes = Lookup::new(attributes);
    for rule in &live.context.rules {
        let now = rule.try_on(&mut attributes, &mut effort)?;
        let holds = now.failed_clause.is_none();
        tried.push(now);
        if holds {
            return Ok((tried, &rule.then));
        }
    }
    Ok((tried, &live.context.default))
}

/// The persona that a target gives this user, with the draw of a split. A recorded draw is kept as long as its arm exists. `None`
/// for a split without weight, which the parser refuses.
fn draw<'a>(
    target: &'a Target,
    context: &Key,
    caller: &Caller,
    recorded: Option<&Trace>,
) -> Option<(&'a Key, Option<SplitDrawn>)> {
    match target {
        Target::Persona(one) => Some((&one.persona, None)),
        Target::Split(split) => {
            let again = recorded.and_then(|trace| {
                let drawn = trace.split.as_ref()?;
                let arm = split.split.get(drawn.arm)?;
                (arm.persona == trace.persona.key).then(|| (&arm.persona, drawn.clone()))
            });
            let (persona, drawn) = again.or_else(|| draw::arm(split, context, caller))?;
            Some((persona, Some(drawn)))
        }
    }
}

/// The merge of a user's preferences into the persona's settings, which the snapshot has merged with the policy already.
struct Merge<'a> {
    persona: &'a LivePersona,
    settings: Settings,
    winners: BTreeMap<String, Winner>,
    passed_over: Vec<PassedOver>,
    notes: Vec<String>,
}

impl<'a> Merge<'a> {
    fn new(persona: &'a LivePersona) -> Self {
        let mut winners = persona.winners.clone();
        winners.insert("name".into(), Winner::Persona);
        winners.insert("systemPrompt".into(), Winner::Persona);
        if persona.persona.greeting.is_some() {
            winners.insert("initialMessage".into(), Winner::Persona);
        }
        Self {
            persona,
            settings: persona.settings.clone(),
            winners,
            passed_over: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn apply_preferences(&mut self, snapshot: &Snapshot, preferences: &Preferences) {
        for (field, choice) in preferences.iter() {
            let setting = Settings::TABLE.iter().find(|one| one.name == field);
            let Some(setting) = setting.filter(|setting| setting.choice.is_some()) else {
                continue;
            };
            // Only psql can have stored something else than an id.
            if setting.catalogue.is_some() && !matches!(choice, Fact::Text(_)) {
                continue;
            }
            let Ok(value) = serde_json::to_value(choice) else {
                continue;
            };
            let reason = self.refusal(snapshot, setting, &value);
            let reason = reason.or_else(|| {
                let is_set = self.settings.set(setting.name, value);
                (!is_set).then_some(PassedOverReason::OutOfRange)
            });
            match reason {
                Some(reason) => self.passed_over.push(PassedOver {
                    field: field.clone(),
                    reason,
                }),
                None => {
                    self.winners.insert(field.clone(), Winner::Preference);
                }
            }
        }
    }

    fn refusal(
        &self,
        snapshot: &Snapshot,
        setting: &Setting,
        value: &Value,
    ) -> Option<PassedOverReason> {
        if self.winners.get(setting.name) == Some(&Winner::Lock) {
            return Some(PassedOverReason::Locked);
        }
        if !self.is_overridable(setting.name) {
            return Some(PassedOverReason::NotOverridable);
        }
        let (Some(kind), Some(id)) = (setting.catalogue, value.as_str()) else {
            let fits = setting.check(value).is_empty();
            return (!fits).then_some(PassedOverReason::OutOfRange);
        };
        let Some(entry) = snapshot.catalogue.find(kind, id) else {
            return Some(PassedOverReason::NotInCatalogue);
        };
        match kind {
            CatalogueKind::Avatar => {
                let suits = match self.settings.avatar_model {
                    Some(model) => entry.can_render(model),
                    None => entry
                        .active_model()
                        .is_none_or(|model| self.settings.suit(model)),
                };
                (!suits).then_some(PassedOverReason::AvatarLacksModel)
            }
            CatalogueKind::Voice | CatalogueKind::Llm => {
                let wants_zero = self.settings.zero_data_retention == Some(true);
                (wants_zero && !entry.retains_nothing()).then_some(PassedOverReason::MayRetainData)
            }
            CatalogueKind::Language | CatalogueKind::Tool => None,
        }
    }

    fn is_overridable(&self, field: &str) -> bool {
        self.persona
            .persona
            .overridable
            .iter()
            .any(|name| name == field)
    }

    /// A user's voice may be another provider's: options written for the persona's voice would be refused. Where the
    /// catalogue does not say whose a chosen voice is, they are left out too: a preference never breaks a mint.
    fn drop_foreign_voice_options(&mut self, snapshot: &Snapshot) {
        let Some(options) = &self.settings.voice_generation_options else {
            return;
        };
        let voice = self.settings.voice_id.as_deref();
        let provider = voice
            .and_then(|id| snapshot.catalogue.find(CatalogueKind::Voice, id))
            .and_then(|entry| entry.provider());
        let why = match provider {
            Some(provider) if !options.families().contains(&provider) => {
                format!("they do not suit {provider}")
            }
            None if self.winners.get("voiceId") == Some(&Winner::Preference) => {
                "the provider of the chosen voice is unknown".to_owned()
            }
            _ => return,
        };
        self.notes
            .push(format!("voiceGenerationOptions left out: {why}"));
        self.settings.voice_generation_options = None;
        self.winners.remove("voiceGenerationOptions");
    }

    /// The user's own prompt, where the persona allows one: plain text, never a template.
    fn own_prompt(&mut self, preferences: &Preferences) -> Option<String> {
        let prompt = preferences.text("systemPrompt")?;
        if self.is_overridable("systemPrompt") {
            self.winners
                .insert("systemPrompt".into(), Winner::Preference);
            return Some(text::clean_block(prompt, MAX_PROMPT_CHARS).into_owned());
        }
        self.passed_over.push(PassedOver {
            field: "systemPrompt".into(),
            reason: PassedOverReason::NotOverridable,
        });
        None
    }
}

#[cfg(test)]
mod tests;
