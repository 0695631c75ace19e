//! `/v1/admin/impact`: whom a change would reach.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::views::uses::Uses;
use crate::authoring::impact::{
    DEFAULT_SESSIONS, Impact, Kind, MAX_SESSIONS, Outcome, Reached, Study,
};
use crate::domain::key::Key;
use crate::web::admin::View;
use crate::web::input::{WholeNumber, input};
use crate::web::operation::{Absent, Answer, Body, Call, Json, Unless, operations};

operations! {
    "Admin: preview and tests";

    "/v1/admin/impact" {
        /// Decides recent sessions again, with and without drafts or versions in place, and returns what would change.
        POST impact => study;
    }
}

input! {
    /// What would be changed.
    struct ImpactAsked {
        /// Drafts and versions that would be live.
        #[example([{ "kind": "persona", "key": "support-agent", "version": 2 }])]
        r#use: Uses,
        /// Only sessions of this context.
        #[example("support")]
        context: Option<Key>,
        /// How many of the newest sessions; 500 unless set.
        #[example(500)]
        sessions: Option<WholeNumber<usize, 1, MAX_SESSIONS>>,
    }
}

/// The result of a study.
#[derive(Debug, Serialize, ToSchema)]
struct ImpactBody {
    /// Sessions that were decided anew; those whose inputs are no longer kept are not among them.
    #[schema(example = 500)]
    considered: usize,
    /// Sessions whose inputs could not be read.
    #[schema(example = 0)]
    unreadable: usize,
    /// Sessions for which Anam would get something else.
    #[schema(example = 60)]
    changed: usize,
    /// `changed` of `considered`, 0 to 1.
    #[schema(example = 0.12)]
    share: f64,
    /// The oldest session that was looked at; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    oldest: Option<DateTime<Utc>>,
    /// What becomes of what, the most frequent first.
    kinds: Vec<ImpactKind>,
    /// What decides these sessions now, the most frequent first; at most 500.
    before: Vec<ImpactReached>,
    /// What would decide them.
    after: Vec<ImpactReached>,
}

/// How many sessions a rule decides, or an arm of its split.
#[derive(Debug, Serialize, ToSchema)]
struct ImpactReached {
    /// The key of the context that was used.
    #[schema(example = "support")]
    context: String,
    /// The rule's position, from 0; absent for the context's `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 0)]
    rule: Option<usize>,
    /// The arm's position in the split, from 0; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    arm: Option<usize>,
    #[schema(example = "support-agent")]
    persona: String,
    /// How many sessions.
    #[schema(example = 60)]
    count: usize,
}

/// One kind of change.
#[derive(Debug, Serialize, ToSchema)]
struct ImpactKind {
    /// What these sessions get now.
    from: ImpactGiven,
    /// What the sessions would get.
    to: ImpactGiven,
    /// Places of the request to Anam that differ.
    #[schema(example = json!(["/personaConfig/systemPrompt"]))]
    fields: Vec<String>,
    /// How many sessions.
    #[schema(example = 60)]
    count: usize,
    /// Some of them, the newest.
    sessions: Vec<Uuid>,
}

/// What a session gets: a persona, or `undecided`.
#[derive(Debug, Default, Serialize, ToSchema)]
struct ImpactGiven {
    /// The key of the context that was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "support")]
    context: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "support-agent")]
    persona: Option<String>,
    /// Its version; 0 for a draft.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 3)]
    version: Option<i32>,
    /// Why no persona can be given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    undecided: Option<String>,
}

async fn study(
    call: Call<View>,
    sent: Body<ImpactAsked>,
) -> Answer<Unless<Absent, Json<ImpactBody>>> {
    let sent = sent.checked()?;
    let sessions = sent.sessions.map_or(DEFAULT_SESSIONS, WholeNumber::get);
    let tenant = call.tenant;
    let begun = call.work(async move |gateway| {
        let database = gateway.database.clone();
        Ok(Study::begin(database, tenant, &sent.r#use, sent.context, sessions).await?)
    });
    let mut study = begun.await?;
    loop {
        let step = call.work(async move |_gateway| {
            let goes_on = study.go_on().await?;
            Ok((study, goes_on))
        });
        let goes_on;
        (study, goes_on) = Box::pin(step).await?;
        if !goes_on {
            break;
        }
    }
    Ok(Json::new(&ImpactBody::from(study.finish())).into())
}

impl From<Impact> for ImpactBody {
    fn from(impact: Impact) -> Self {
        Self {
            considered: impact.considered,
            unreadable: impact.unreadable,
            changed: impact.changed,
            share: share(impact.changed, impact.considered),
            oldest: impact.oldest,
            kinds: impact.kinds.into_iter().map(ImpactKind::from).collect(),
            before: impact.before.into_iter().map(ImpactReached::from).collect(),
            after: impact.after.into_iter().map(ImpactReached::from).collect(),
        }
    }
}

impl From<Reached> for ImpactReached {
    fn from(Reached { by, count }: Reached) -> Self {
        Self {
            context: by.context.into(),
            rule: by.rule,
            arm: by.arm,
            persona: by.persona.into(),
            count,
        }
    }
}

/// To four digits; nothing of nothing is 0.
fn share(part: usize, whole: usize) -> f64 {
    let tenths_of_a_thousandth = part.saturating_mul(10_000).checked_div(whole);
    let rounded = tenths_of_a_thousandth.and_then(|parts| u32::try_from(parts).ok());
    f64::from(rounded.unwrap_or_default()) / 10_000.0
}

impl From<Kind> for ImpactKind {
    fn from(kind: Kind) -> Self {
        Self {
            from: kind.from.into(),
            to: kind.to.into(),
            fields: kind.fields,
            count: kind.count,
            sessions: kind.sessions.into_iter().map(|id| id.0).collect(),
        }
    }
}

impl From<Outcome> for ImpactGiven {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Decided {
                context,
                persona,
                version,
            } => Self {
                context: Some(context.into()),
                persona: Some(persona.into()),
                version: Some(version),
                undecided: None,
            },
            Outcome::Undecided(why) => Self {
                undecided: Some(why),
                ..Self::default()
            },
        }
    }
}
