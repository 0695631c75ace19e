//! `/v1/admin/impact`: whom a change would reach.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::preview::UseAsked;
use super::{checked, read_members};
use crate::api::answers::Asking;
use crate::api::only;
use crate::authoring::impact::{DEFAULT_SESSIONS, Impact, Kind, MAX_SESSIONS, Outcome, Study};
use crate::authoring::uses::Use;
use crate::domain::key::Key;
use crate::domain::members::{Members, number};
use crate::gateway::Gateway;
use crate::tenants::refusal::Refusal;
use crate::web::Problem;
use crate::web::admin::{May, View};
use crate::web::body::AdminBodyLimits;

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(only(
        web::resource("/v1/admin/impact").route(web::post().to(ask)),
        "POST",
    ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(ask))]
pub struct Doc;

/// What would be changed.
#[derive(Debug, Serialize, ToSchema)]
struct ImpactAsked {
    /// Drafts and versions that would be live.
    #[serde(rename = "use")]
    #[schema(max_items = 20)]
    uses: Vec<UseAsked>,
    /// Only sessions of this context.
    #[schema(nullable = false, example = "support")]
    context: Option<String>,
    /// How many of the newest sessions; 500 unless set.
    #[schema(nullable = false, minimum = 1, maximum = 2000, example = 500)]
    sessions: Option<i32>,
}

/// Whom it would reach.
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
}

/// One kind of change.
#[derive(Debug, Serialize, ToSchema)]
struct ImpactKind {
    /// What these sessions get as things are.
    from: ImpactGiven,
    /// What they would get.
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
    /// The context that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "support")]
    context: Option<String>,
    /// The persona.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "support-agent")]
    persona: Option<String>,
    /// Its version; 0 for a draft.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 3)]
    version: Option<i32>,
    /// Why nobody is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    undecided: Option<String>,
}

/// Decides recent sessions anew, as things are and with drafts or versions in place, and tells what would change.
#[utoipa::path(
    post, path = "/v1/admin/impact", tag = "Admin: see before you leap", operation_id = "impact",
    security(("adminKey" = [])), extensions(("x-permission" = json!("view"))),
    request_body(content = ImpactAsked, content_type = "application/json", example = json!({
        "use": [{ "kind": "persona", "key": "support-agent", "version": 2 }], "context": "support", "sessions": 500
    })),
    responses(
        (status = 200, description = "Whom it would reach", body = ImpactBody),
        Asking,
    )
)]
async fn ask(
    may: May<View>,
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let sent = read_members(&request, payload, **limits).await?;
    let is_missing = !sent.contains_key("use");
    let mut members = Members::new(sent);
    let uses = members.nested("use", Use::parse_list);
    if is_missing {
        members.fault(
            "/use",
            "is missing: name the drafts and versions that would be live",
        );
    }
    let context = members.optional("context", |value| match value.as_str().map(Key::parse) {
        Some(Ok(key)) => Ok(key),
        _ => Err("must be a context's key".to_owned()),
    });
    let most = i64::try_from(MAX_SESSIONS).unwrap_or(i64::MAX);
    let sessions = members.optional("sessions", number(1, most));
    checked(members.finish())?;
    let sessions = sessions.and_then(|number| usize::try_from(number).ok());
    let (tenant, database) = (may.tenant, gateway.database.clone());
    let begun = gateway.work(tenant, async move || {
        let (uses, sessions) = (
            uses.unwrap_or_default(),
            sessions.unwrap_or(DEFAULT_SESSIONS),
        );
        Study::begin(database, tenant, &uses, context, sessions).await
    });
    let mut study = begun.await??;
    loop {
        let step = gateway.work(tenant, async move || {
            let goes_on = study.go_on().await?;
            Ok::<_, Refusal>((study, goes_on))
        });
        let goes_on;
        (study, goes_on) = step.await??;
        if !goes_on {
            break;
        }
    }
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(ImpactBody::from(study.finish())))
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
