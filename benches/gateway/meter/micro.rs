//! What parts of a mint cost by themselves, in processor time of one thread.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use anyhow::Context as _;
use chrono::DateTime;
use persona_gateway::auth::{KeySet, peek, verify};
use persona_gateway::clock::Clock;
use persona_gateway::dev::issuer::{DevIssuer, DevIssuerKeys, SigningAlgorithm, TokenRequest};
use persona_gateway::domain::caller::{Caller, Fact, Subject};
use persona_gateway::domain::catalogue::{Catalogue, CatalogueEntry};
use persona_gateway::domain::catalogue_kind::CatalogueKind;
use persona_gateway::domain::context::Context as ContextContent;
use persona_gateway::domain::decide::{Moment, decide};
use persona_gateway::domain::ids::{IssuerId, SessionId, TenantId};
use persona_gateway::domain::issuer::IssuerConfig;
use persona_gateway::domain::key::Key;
use persona_gateway::domain::persona::Persona;
use persona_gateway::domain::policy::Policy;
use persona_gateway::domain::preferences::Preferences;
use persona_gateway::domain::request::MintRequest;
use persona_gateway::domain::snapshot::{LiveContext, LivePersona, Rollouts, Snapshot};
use persona_gateway::domain::template::{Budget, Fence, Template, TemplateInput, TemplateKind};
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::accounts::own_thread;
use super::bundle::{self, AUDIENCE, SITUATIONS};
use super::progress;
use super::statistics::Median;

/// How often each is measured, and how much processor time each measurement takes at least.
const MEASUREMENTS: usize = 15;
const LONG_ENOUGH: Duration = Duration::from_millis(20);
/// Rules, and clauses of each; only the last of a rule does not hold.
const RULES: usize = 50;
const CLAUSES: usize = 15;

/// One part.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Micro {
    pub(super) part: Part,
    /// Processor time of one, in microseconds.
    pub(super) us: Median,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Part {
    Rs256,
    Es256,
    EdDsa,
    Decide,
    DecideManyRules,
    Render,
}

impl Part {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "verify a token, RS256",
            Self::Es256 => "verify a token, ES256",
            Self::EdDsa => "verify a token, EdDSA",
            Self::Decide => "decide and render, as the servers above do it",
            Self::DecideManyRules => {
                "decide, 50 rules of 15 clauses, all missed by their last clause"
            }
            Self::Render => "render a prompt of 1.5 kB",
        }
    }
}

pub(super) fn run() -> anyhow::Result<Vec<Micro>> {
    progress("micro-benchmarks");
    let mut found = verifying()?;
    found.push(deciding(Part::Decide, &Map::new())?);
    found.push(deciding(Part::DecideManyRules, &many_rules())?);
    found.push(rendering()?);
    Ok(found)
}

/// Does it often enough to be measured, and that several times.
fn measure(part: Part, mut once: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Micro> {
    let mut often = 1_u32;
    let mut time = |often: u32| -> anyhow::Result<Duration> {
        let begun = own_thread()?;
        for _ in 0..often {
            once()?;
        }
        Ok(own_thread()?.saturating_sub(begun))
    };
    while time(often)? < LONG_ENOUGH {
        often *= 2;
    }
    let mut each = Vec::new();
    for _ in 0..MEASUREMENTS {
        each.push(time(often)?.as_secs_f64() * 1e6 / f64::from(often));
    }
    let us = Median::of(each).context("nothing was measured")?;
    Ok(Micro { part, us })
}

/// From the token's text to the caller's facts.
fn verifying() -> anyhow::Result<Vec<Micro>> {
    let runtime = tokio::runtime::Runtime::new()?;
    let (tokens, config, keys) = runtime.block_on(async {
        let keys = DevIssuerKeys::generate()?;
        let any = ([127, 0, 0, 1], 0).into();
        let issuer = DevIssuer::start(any, AUDIENCE, keys, Clock::system())?;
        let claims = json!({ "name": "Robin", "plan": "pro", "scope": "openid profile talk" });
        let mut asked = TokenRequest::new("user-00001", claims.as_object().cloned().unwrap_or_default());
        let mut tokens = Vec::new();
        for (algorithm, part) in [
            (SigningAlgorithm::Rs256, Part::Rs256),
            (SigningAlgorithm::Es256, Part::Es256),
            (SigningAlgorithm::EdDsa, Part::EdDsa),
        ] {
            asked.alg = algorithm;
            tokens.push((part, issuer.sign(&asked)?));
        }
        let url = format!("{}/jwks.json", issuer.url());
        let client = reqwest::Client::builder().no_proxy().build()?;
        let keys: Value = client.get(url).send().await?.json().await?;
        let config = json!({
            "issuer": issuer.url(), "audiences": [AUDIENCE], "algorithms": ["RS256", "ES256", "EdDSA"],
            "keys": { "jwks": keys.clone() }, "claims": { "name": "name", "plan": "plan" },
        });
        let config = IssuerConfig::parse(&config).map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
        anyhow::Ok((tokens, config, KeySet::admit(&keys)?))
    })?;
    let now = Clock::system().now();
    let parts = tokens.iter().map(|(part, token)| {
        measure(*part, || {
            let read = peek(black_box(token))?;
            black_box(verify(&read, &config, &keys, now)?);
            Ok(())
        })
    });
    parts.collect()
}

fn deciding(part: Part, context: &Map<String, Value>) -> anyhow::Result<Micro> {
    let snapshot = snapshot(context)?;
    let tenant = snapshot.tenant;
    let caller = Caller {
        tenant,
        issuer: IssuerId(Uuid::nil()),
        subject: Subject::parse("user-00001").context("no subject")?,
        facts: facts(),
        left_out: BTreeMap::new(),
    };
    let preferences = Preferences::from_stored(super::users::preferences(1));
    let request = MintRequest::parse(json!({ "context": "support", "metadata": metadata() }));
    let request = request.map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
    let moment = Moment {
        now: DateTime::from_timestamp(1_800_000_000, 0).context("no time")?,
        session: SessionId(Uuid::from_u128(7)),
    };
    measure(part, || {
        black_box(decide(
            &snapshot,
            &caller,
            &preferences,
            black_box(&request),
            moment,
        )?);
        Ok(())
    })
}

fn metadata() -> Value {
    json!({ "product": "Widget 7", "orderId": "A-1042" })
}

fn facts() -> BTreeMap<String, Fact> {
    let fact = |name: &str, value: &str| (name.to_owned(), Fact::Text(value.to_owned()));
    BTreeMap::from([fact("name", "Robin"), fact("plan", "pro")])
}

/// Rules that look at everything before they fail.
fn many_rules() -> Map<String, Value> {
    let clause = |n: usize| match n % 3 {
        0 => {
            json!({ "attribute": "user.plan", "operator": "equals", "values": ["pro", "premium"] })
        }
        1 => {
            json!({ "attribute": "metadata.product", "operator": "contains", "values": ["Widget"] })
        }
        _ => {
            json!({ "attribute": "preferences.languageCode", "operator": "not_equals", "values": ["xx"] })
        }
    };
    let rule = |n: usize| {
        let mut clauses: Vec<Value> = (1..CLAUSES).map(clause).collect();
        clauses.push(json!({ "attribute": "metadata.orderId", "operator": "equals", "values": [format!("B-{n}")] }));
        json!({ "name": format!("rule {n}"), "when": clauses, "then": { "persona": "support-guide" } })
    };
    let rules: Vec<Value> = (0..RULES).map(rule).collect();
    Map::from_iter([("rules".to_owned(), rules.into())])
}

/// A tenant with one persona and one context, which has these members beside its default.
fn snapshot(members: &Map<String, Value>) -> anyhow::Result<Snapshot> {
    let object = |value: Option<&Value>| {
        value
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default()
    };
    let whole = bundle::bundle("acme", "https://login.example.com");
    let situation = SITUATIONS.first().context("no situation")?;
    let name = format!("{}-guide", situation.key);
    let persona_key = Key::parse(&name).context("no key")?;
    let context_key = Key::parse(situation.key).context("no key")?;
    let policy = Policy::default();
    let persona = Persona::parse(&object(Some(&bundle::persona("acme", situation))));
    let persona = persona.map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
    let mut content = object(whole.pointer(&format!("/contexts/{}", situation.key)));
    content.extend(members.clone());
    let content =
        ContextContent::parse(&content).map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
    let live_context = LiveContext {
        version: 1,
        hash: "hash".to_owned(),
        context: content,
        words: json!({ "key": situation.key }),
    };
    let live_persona = LivePersona::new(
        &persona_key,
        1,
        "hash".to_owned(),
        persona,
        &policy,
        Vec::new(),
    );
    Ok(Snapshot {
        tenant: TenantId(Uuid::from_u128(1)),
        revision: 1,
        policy,
        catalogue: catalogue(&whole)?,
        personas: BTreeMap::from([(persona_key, live_persona)]),
        contexts: BTreeMap::from([(context_key, live_context)]),
        rollouts: Rollouts::default(),
        aliases: BTreeMap::new(),
        next_change: None,
        tenant_words: json!({ "name": "acme", "slug": "acme" }),
    })
}

fn catalogue(bundle: &Value) -> anyhow::Result<Catalogue> {
    let mut catalogue = Catalogue::default();
    for (kind, list) in [
        (CatalogueKind::Avatar, "avatars"),
        (CatalogueKind::Voice, "voices"),
        (CatalogueKind::Llm, "llms"),
        (CatalogueKind::Language, "languages"),
    ] {
        let entries: Vec<CatalogueEntry> = serde_json::from_value(
            bundle
                .pointer(&format!("/catalogue/{list}"))
                .cloned()
                .unwrap_or_default(),
        )?;
        for entry in entries {
            catalogue.push(kind, entry);
        }
    }
    Ok(catalogue)
}

fn rendering() -> anyhow::Result<Micro> {
    let situation = SITUATIONS.first().context("no situation")?;
    let template = Template::compile(&bundle::prompt("acme", situation), TemplateKind::Prompt);
    let template = template.map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
    let (facts, metadata) = (facts(), metadata());
    let preferences = Value::Object(super::users::preferences(1));
    measure(Part::Render, || {
        let input = TemplateInput::new(Fence::new(b"session"))
            .user(&facts)
            .preferences(&preferences)
            .metadata(black_box(&metadata));
        black_box(template.render(&input, &mut Budget::whole())?);
        Ok(())
    })
}
