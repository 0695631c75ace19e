//! Whether a persona can be given at all: worked out as a mint would, for made-up users of every sort.

use std::fmt;

use serde_json::{Map, Value, json};

use super::Surroundings;
use super::schema;
use crate::domain::caller::Fact;
use crate::domain::decide::{ConfiguredPersona, Moment, PromptNotes, Undecided, configure};
use crate::domain::finding::{Blocks, Finding};
use crate::domain::ids::SessionId;
use crate::domain::key::Key;
use crate::domain::preferences::{PreferenceField, Preferences};
use crate::domain::request::Metadata;
use crate::domain::sample_user::SampleUser;
use crate::domain::settings::Settings;
use crate::domain::settings::bounds::CLIENT_LLM;
use crate::domain::snapshot::{LiveContext, LivePersona};
use crate::domain::template::Template;
use crate::domain::wrong::Wrong;

/// Most contexts of a persona that are tried, since rendering takes time.
const MAX_TRIED: usize = 20;
/// Most sample users of the tenant that are tried.
const MAX_SAMPLES: usize = 4;
/// What stands for a fact or a preference of which only the name is known.
const SOMETHING: &str = "example";

/// Findings of a persona document: `contexts` give it, or nobody does yet.
pub(super) fn of_persona(
    key: &Key,
    persona: &LivePersona,
    contexts: &[(&Key, &LiveContext)],
    around: &Surroundings<'_>,
) -> Vec<Finding> {
    let nowhere = json!({ "key": "default", "description": "" });
    let mut tried: Vec<(Option<&Key>, Vec<Outcome>)> = contexts
        .iter()
        .take(MAX_TRIED)
        .map(|(context, live)| {
            let schema = Some(live.context.schema.document());
            (
                Some(*context),
                outcomes(key, persona, &live.words, schema, around),
            )
        })
        .collect();
    if tried.is_empty() {
        tried.push((None, outcomes(key, persona, &nowhere, None, around)));
    }
    let mut findings = Vec::new();
    for problem in Problem::ALL {
        // What looks at no value comes out the same for everybody.
        let is_constant = variables(problem.texts(persona)).next().is_none();
        let have_it =
            |outcomes: &[Outcome]| outcomes.iter().all(|one| problem.fault(one).is_some());
        let everywhere = tried.iter().all(|(_, outcomes)| have_it(outcomes));
        let mut noted = false;
        for (context, outcomes) in &tried {
            let Some((who, fault)) = outcomes
                .iter()
                .find_map(|one| Some((&one.who, problem.fault(one)?)))
            else {
                continue;
            };
            let finding = match context {
                _ if everywhere => Some(problem.always(fault, None, is_constant)),
                Some(context) if have_it(outcomes) => {
                    let finding = problem.always(fault, Some(context), is_constant);
                    Some(until_release(finding))
                }
                _ if noted => None,
                _ => {
                    noted = true;
                    problem.sometimes(who, fault)
                }
            };
            findings.extend(finding);
            if everywhere {
                break;
            }
        }
    }
    findings
}

/// Findings at `at` of a context document that gives these live personas.
pub(super) fn of_context<'a>(
    at: &str,
    words: &Value,
    schema: Option<&Value>,
    personas: Vec<(&'a Key, &'a LivePersona)>,
    around: &Surroundings<'_>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (key, persona) in personas {
        let outcomes = outcomes(key, persona, words, schema, around);
        let faults: Vec<String> = outcomes
            .iter()
            .filter_map(|one| Problem::Unrendered.fault(one))
            .collect();
        if let (true, Some(fault)) = (faults.len() == outcomes.len(), faults.first()) {
            findings.push(Finding::unready(
                at,
                Wrong::PersonaUnrendered {
                    name: key.to_string(),
                    why: fault.clone(),
                },
                "Change that persona, or name another",
            ));
        }
    }
    findings
}

/// Whether Anam asks an LLM of its own, which needs a prompt.
pub(super) fn wants_prompt(settings: &Settings) -> bool {
    settings.llm_id.as_deref() != Some(CLIENT_LLM)
}

fn until_release(mut finding: Finding) -> Finding {
    if finding.is_error() {
        finding.blocks = Some(Blocks::Release);
    }
    finding
}

/// A made-up user.
enum Who {
    Unknown,
    Known,
    Sample(String),
}

impl Who {
    /// For programs, and the sample user's name.
    fn values(&self) -> (&'static str, String) {
        match self {
            Self::Unknown => ("unknown", String::new()),
            Self::Known => ("known", String::new()),
            Self::Sample(name) => ("sample", name.clone()),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("a user of whom nothing is known"),
            Self::Known => f.write_str("a user of whom everything is known"),
            Self::Sample(name) => write!(f, "the sample user `{name}`"),
        }
    }
}

/// What one made-up user would get.
struct Outcome {
    who: Who,
    given: Result<ConfiguredPersona, Undecided>,
    wants_prompt: bool,
    has_greeting: bool,
}

/// What can be wrong with it.
#[derive(Debug, Clone, Copy)]
enum Problem {
    Unrendered,
    NoPrompt,
    NoName,
    NoGreeting,
}

impl Problem {
    const ALL: [Self; 4] = [
        Self::Unrendered,
        Self::NoPrompt,
        Self::NoName,
        Self::NoGreeting,
    ];

    /// Whether an outcome has it, in words.
    fn fault(self, outcome: &Outcome) -> Option<String> {
        let config = outcome.given.as_ref().map(|given| &given.config);
        match (self, config) {
            (Self::Unrendered, Err(Undecided::Unrendered { text, fault, .. })) => {
                Some(if text == self.pointer() {
                    fault.to_string()
                } else {
                    format!("{text}: {fault}")
                })
            }
            (Self::NoPrompt, Ok(config))
                if outcome.wants_prompt && config.system_prompt.trim().is_empty() =>
            {
                Some("the prompt comes out empty".to_owned())
            }
            (Self::NoName, Ok(config)) if config.name.trim().is_empty() => {
                Some("the name comes out empty".to_owned())
            }
            (Self::NoGreeting, Ok(config))
                if outcome.has_greeting && config.initial_message.is_none() =>
            {
                Some("the greeting comes out empty".to_owned())
            }
            _ => None,
        }
    }

    /// The texts that it depends on.
    fn texts(self, persona: &LivePersona) -> Vec<&Template> {
        match self {
            Self::Unrendered => texts(persona),
            Self::NoPrompt => {
                let snippets = persona.snippets.iter();
                let snippets = snippets.map(|(_, template)| template.as_ref());
                snippets.chain([&persona.persona.prompt]).collect()
            }
            Self::NoName => vec![&persona.persona.name],
            Self::NoGreeting => persona.persona.greeting.iter().collect(),
        }
    }

    fn pointer(self) -> &'static str {
        match self {
            Self::Unrendered | Self::NoPrompt => "/systemPrompt",
            Self::NoName => "/name",
            Self::NoGreeting => "/initialMessage",
        }
    }

    /// Where every made-up user has it. Texts that look at values (`is_constant` says no) may come out otherwise for users
    /// whom nobody thought of.
    fn always(self, why: String, context: Option<&Key>, is_constant: bool) -> Finding {
        let at = self.pointer();
        let certain = if is_constant { "" } else { " that was tried" };
        let place = context.map(|key| format!(" of the context `{key}`"));
        let users = format!("{certain}{}", place.unwrap_or_default());
        let context = context.map(Key::to_string).unwrap_or_default();
        let empty = format!("comes out empty for every user{users}");
        match self {
            Self::Unrendered => {
                let text = format!("can't be rendered for any user{users}: {why}");
                Finding::error(
                    at,
                    Wrong::Unrendered { context, why }.worded(text),
                    "Shorten it; if it is for certain users only, add a sample user such as they are",
                )
            }
            Self::NoPrompt | Self::NoName if is_constant => Finding::error(
                at,
                Wrong::EmptyForAll { context }.worded(empty),
                "Write text here",
            ),
            Self::NoPrompt | Self::NoName => Finding::warning(
                at,
                Wrong::EmptyForAll { context }.worded(empty),
                "Write some text that does not depend on values",
            ),
            Self::NoGreeting => Finding::warning(
                at,
                Wrong::NoGreeting { context }
                    .worded(format!("{empty}: the LLM writes the greeting")),
                "Write text that does not depend on values, or take it out",
            ),
        }
    }

    /// Where some have it.
    fn sometimes(self, somebody: &Who, why: String) -> Option<Finding> {
        let at = self.pointer();
        let (who, name) = somebody.values();
        match self {
            Self::Unrendered => {
                let text = format!("{somebody} would get no session: {why}");
                Some(Finding::warning(
                    at,
                    Wrong::NoSession { who, name, why }.worded(text),
                    "Shorten the part that such users get",
                ))
            }
            Self::NoPrompt | Self::NoName => Some(Finding::warning(
                at,
                Wrong::EmptyFor { who, name }.worded(format!("comes out empty for {somebody}")),
                "Write text that does not depend on values, or an {% else %}",
            )),
            Self::NoGreeting => None,
        }
    }
}

fn outcomes(
    key: &Key,
    persona: &LivePersona,
    words: &Value,
    schema: Option<&Value>,
    around: &Surroundings<'_>,
) -> Vec<Outcome> {
    let is_overridden = |user: &SampleUser| user.preferences.get("systemPrompt").is_some();
    let nobody = (Who::Unknown, SampleUser::default(), Metadata::default());
    let sample = schema.map_or_else(Metadata::default, |schema| {
        Metadata::from(schema::sample(schema))
    });
    let known = (Who::Known, somebody(persona, around), sample.clone());
    // One who brings a prompt says nothing of the persona's own.
    let samples = around
        .samples
        .iter()
        .filter(|(_, user)| !is_overridden(user));
    let samples = samples
        .take(MAX_SAMPLES)
        .map(|(name, user)| (Who::Sample(name.to_string()), user.clone(), sample.clone()));
    let moment = Moment {
        now: around.moment,
        session: SessionId(uuid::Uuid::nil()),
    };
    let wants_prompt = wants_prompt(&persona.settings);
    [nobody, known]
        .into_iter()
        .chain(samples)
        .map(|(who, user, metadata)| Outcome {
            who,
            given: configure(
                around.snapshot,
                words,
                key,
                persona,
                &user.caller(around.snapshot.tenant),
                &user.preferences,
                &metadata,
                moment,
                PromptNotes::Nothing,
            ),
            wants_prompt,
            has_greeting: persona.persona.greeting.is_some(),
        })
        .collect()
}

fn texts(persona: &LivePersona) -> Vec<&Template> {
    let own = &persona.persona;
    let snippets = persona
        .snippets
        .iter()
        .map(|(_, template)| template.as_ref());
    let greeting = own.greeting.as_ref();
    snippets
        .chain([&own.name, &own.prompt])
        .chain(greeting)
        .collect()
}

/// The values that texts look at, as dotted paths.
fn variables(texts: Vec<&Template>) -> impl Iterator<Item = &str> {
    let used = texts.into_iter().flat_map(Template::variables);
    used.map(|used| used.path.as_str())
        .filter(|path| !path.starts_with("snippets"))
}

/// A user who has every fact and every preference of which the tenant or the persona speaks.
fn somebody(persona: &LivePersona, around: &Surroundings<'_>) -> SampleUser {
    let own = &persona.persona;
    let texts = [&own.name, &own.prompt]
        .into_iter()
        .chain(own.greeting.as_ref());
    let snippets = persona
        .snippets
        .iter()
        .map(|(_, template)| template.as_ref());
    let used = texts.chain(snippets).flat_map(Template::variables);
    let used = used.filter_map(|used| used.path.strip_prefix("user.")?.split('.').next());
    let known = around.facts.into_iter().flatten().map(String::as_str);
    let facts = used
        .chain(known)
        .map(|name| (name.to_owned(), Fact::Text(SOMETHING.to_owned())))
        .collect();
    let fields = around.snapshot.policy.preference_fields.iter();
    let mut choices: Map<String, Value> = fields
        .map(|(name, field)| (name.clone(), example(field)))
        .collect();
    choices.insert("displayName".into(), SOMETHING.into());
    choices.insert("tone".into(), SOMETHING.into());
    SampleUser {
        subject: None,
        facts,
        preferences: Preferences::from_stored(choices),
    }
}

fn example(field: &PreferenceField) -> Value {
    match field {
        PreferenceField::Choice(choices) => {
            choices.first().map_or(SOMETHING, String::as_str).into()
        }
        PreferenceField::Text { max_chars } => {
            SOMETHING.get(..*max_chars).unwrap_or(SOMETHING).into()
        }
        PreferenceField::Flag => true.into(),
        PreferenceField::Number { min, .. } => (*min).into(),
    }
}
