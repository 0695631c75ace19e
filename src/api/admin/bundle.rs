//! `/v1/admin/bundle`: the whole tenant as one document.

use std::collections::BTreeMap;

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{OpenApi, ToSchema};

use super::comparison::ChangeBody;
use super::{checked, read_members};
use crate::api::answers::{Creating, ReadingOne};
use crate::api::{only, reading};
use crate::authoring::apply::{Application, ApplyError, ApplyOptions, shared_issuers};
use crate::authoring::bundle::{Bundle, SecretRef};
use crate::authoring::export::export;
use crate::authoring::plan::{Plan, Step, Verb};
use crate::domain::fault::{Fault, step};
use crate::domain::finding::Finding;
use crate::domain::members::{Members, block, flag, object};
use crate::gateway::Gateway;
use crate::store::issuers::SharedIssuerRow;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;
use crate::web::Problem;
use crate::web::admin::{May, Publish, View};
use crate::web::body::AdminBodyLimits;
use crate::web::finding::{FindingBody, finding_bodies};
use crate::web::once::{Created, once};
use crate::web::work::{Ready, work};

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(only(
            web::resource("/v1/admin/bundle").route(reading().to(get)),
            "GET, HEAD",
        ))
        .service(only(
            web::resource("/v1/admin/bundle:apply").route(web::post().to(apply)),
            "POST",
        ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(get, apply))]
pub struct Doc;

/// A bundle to apply.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewBundle {
    /// The bundle; `persona-gateway schema` prints its JSON Schema. `tenant` must be the credential's own.
    #[schema(value_type = Object, example = json!({ "tenant": "acme", "snippets": { "tone": { "text": "Be kind." } } }))]
    bundle: Value,
    /// Each secret that the bundle refers to as `env` or `file`, by the pointer of the reference. Secrets that say `stored`
    /// stay as they are.
    #[schema(nullable = false, example = json!({ "/issuers/0/secret": "..." }))]
    secrets: Option<BTreeMap<String, String>>,
    /// Tell the exact plan, and change nothing; false unless set.
    #[schema(nullable = false)]
    dry_run: Option<bool>,
    /// Remove what the bundle does not have, from the sections that it does have; false unless set.
    #[schema(nullable = false)]
    prune: Option<bool>,
    /// Why, for the history.
    #[schema(nullable = false, max_length = 2000, example = "Shorter greetings")]
    message: Option<String>,
}

/// What applying a bundle changes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PlanBody {
    /// Whose.
    #[schema(example = "acme")]
    tenant: String,
    /// Each change, in the order in which they are made.
    steps: Vec<PlanStepBody>,
    /// How much of what the bundle says is so already: tenant, secrets, issuers, documents, sample users, kinds of the catalogue.
    #[schema(example = 12)]
    unchanged: usize,
    /// What the tenant has and the bundle does not: left alone unless pruned.
    #[schema(example = json!(["snippet/old"]))]
    left_alone: Vec<String>,
    /// What was found in the bundle's documents and is not in the way; `:validate` finds the same.
    findings: Vec<FindingBody>,
}

/// One change.
#[derive(Debug, Serialize, ToSchema)]
struct PlanStepBody {
    /// What happens.
    #[schema(value_type = String, example = "change", pattern = "^(create|change|remove)$")]
    verb: Verb,
    /// To what.
    #[schema(example = "persona/guide")]
    target: String,
    /// How, where that needs words.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false, example = "version 1 to 2")]
    note: String,
    /// Member by member what differs, where something changes that was there before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    changes: Vec<ChangeBody>,
}

impl From<Plan> for PlanBody {
    fn from(plan: Plan) -> Self {
        Self {
            tenant: plan.tenant,
            steps: plan.steps.into_iter().map(PlanStepBody::from).collect(),
            unchanged: plan.unchanged,
            left_alone: plan.left_alone,
            findings: finding_bodies(plan.findings),
        }
    }
}

impl From<Step> for PlanStepBody {
    fn from(step: Step) -> Self {
        Self {
            verb: step.verb,
            target: step.target,
            note: step.note,
            changes: step.changes.into_iter().map(ChangeBody::from).collect(),
        }
    }
}

/// The whole tenant as a bundle: what is live now. Secrets stay where they are; the bundle says `stored`.
#[utoipa::path(
    get, path = "/v1/admin/bundle", tag = "Admin: as code", operation_id = "exportBundle", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))),
    responses((status = 200, description = "The bundle", body = Object), ReadingOne)
)]
async fn get(may: May<View>, gateway: web::Data<Gateway>) -> Result<HttpResponse, Problem> {
    let tenant = may.tenant;
    work(&gateway, &may, async move |gateway| {
        let mut tx = gateway.database.tenant(tenant).await?;
        let bundle = export(&mut tx).await?;
        tx.commit().await?;
        Ok(Ready::ok(&bundle.ok_or(Refusal::NotFound)?))
    })
    .await
}

/// Makes the tenant as a bundle says: whole, or not at all. A second time changes nothing. Documents, catalogue and sample
/// users need the role publisher; a bundle that changes name, policy, issuers or the provider key needs owner. Where the policy
/// asks for approvals, documents are sealed and wait for them; the plan says so.
#[utoipa::path(
    post, path = "/v1/admin/bundle:apply", tag = "Admin: as code", operation_id = "applyBundle", security(("adminKey" = [])),
    extensions(("x-permission" = json!("publish"))),
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats with the same key get the first answer, for a day; a dry run is never kept")),
    request_body(content = NewBundle, content_type = "application/json"),
    responses((status = 200, description = "What was changed, or would be", body = PlanBody), Creating)
)]
async fn apply(
    may: May<Publish>,
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let sent = read_members(&request, payload, **limits).await?;
    let shared = shared_issuers(&gateway.database).await?;
    if sent.get("dryRun") == Some(&Value::Bool(true)) {
        let admin = may.clone();
        return work(&gateway, &may, async move |gateway| {
            let mut change = Change::begin(gateway, &admin).await?;
            let plan = applied(&mut change, sent, &shared).await?;
            Ok(Ready::ok(&plan))
        })
        .await;
    }
    once(&request, &gateway, &may, sent, async move |change, sent| {
        let plan = applied(change, sent, &shared).await?;
        Ok(Created::done(&plan))
    })
    .await
}

/// Applies what was sent, within the change.
async fn applied(
    change: &mut Change,
    sent: Map<String, Value>,
    shared: &[SharedIssuerRow],
) -> Result<PlanBody, Refusal> {
    let mut members = Members::new(sent);
    let bundle = members.required("bundle", object);
    let secrets = members.nested("secrets", secrets).unwrap_or_default();
    let dry_run = members.optional("dryRun", flag).unwrap_or_default();
    let prune = members.optional("prune", flag).unwrap_or_default();
    let message = members.optional("message", block(2_000));
    checked(members.finish())?;
    let bundle = Bundle::read(&Value::Object(bundle.unwrap_or_default()));
    let bundle = bundle.map_err(|faults| of_bundle(faults, Vec::new()))?;
    let (bundle, by_pointer) = with_secrets(bundle, secrets)?;
    let options = ApplyOptions {
        dry_run,
        prune,
        message: message.unwrap_or_default(),
        ..ApplyOptions::by(change.admin.actor.clone())
    };
    let find_secret = |reference: &SecretRef| match reference {
        SecretRef::Sent(at) => by_pointer
            .get(at)
            .cloned()
            .ok_or_else(|| format!("is a secret that was not sent: `secrets` has no {at}")),
        _ => Err("is a secret that was not sent".into()),
    };
    let application = Application {
        bundle: &bundle,
        options: &options,
        find_secret: &find_secret,
        shared,
        is_operators: false,
    };
    let plan = application.make(change).await.map_err(refusal)?;
    Ok(plan.into())
}

/// Texts by pointer.
fn secrets(value: Value) -> Result<BTreeMap<String, SecretString>, Vec<Fault>> {
    let Value::Object(members) = value else {
        return Err(vec![Fault::new(
            "",
            "must be an object of pointers and texts",
        )]);
    };
    let mut read = BTreeMap::new();
    for (at, secret) in members {
        match secret {
            Value::String(text) if !text.trim().is_empty() => {
                read.insert(at, SecretString::from(text.trim()));
            }
            _ => {
                return Err(vec![Fault::new(
                    step(&at),
                    "must be a text that is not empty",
                )]);
            }
        }
    }
    Ok(read)
}

/// Points the bundle's references at what was sent. Environment and files of this machine are none of the caller's business.
fn with_secrets(
    mut bundle: Bundle,
    secrets: BTreeMap<String, SecretString>,
) -> Result<(Bundle, BTreeMap<String, SecretString>), Refusal> {
    let mut wanted = Vec::new();
    for (at, reference) in bundle.wanted_secrets() {
        *reference = SecretRef::Sent(at.clone());
        wanted.push(at);
    }
    let surplus = secrets.keys().filter(|at| !wanted.contains(at));
    let faults: Vec<Fault> = surplus
        .map(|at| {
            Fault::new(
                format!("/secrets{}", step(at)),
                "is no place of the bundle that refers to a secret as env or file",
            )
        })
        .collect();
    if faults.is_empty() {
        Ok((bundle, secrets))
    } else {
        Err(Refusal::Invalid(faults))
    }
}

/// The faults of a bundle and what was found in its documents, seen from the body.
fn of_bundle(faults: Vec<Fault>, findings: Vec<Finding>) -> Refusal {
    let findings = findings.into_iter().map(|mut finding| {
        finding.pointer.insert_str(0, "/bundle");
        finding
    });
    Refusal::DocumentInvalid {
        faults: faults
            .into_iter()
            .map(|fault| fault.under("/bundle"))
            .collect(),
        findings: findings.collect(),
    }
}

fn refusal(error: ApplyError) -> Refusal {
    match error {
        ApplyError::Faults { faults, findings } => of_bundle(faults, findings),
        ApplyError::Store(error) => error.into(),
        ApplyError::Refused(refusal) => refusal,
        ApplyError::Seal(error) => error.into(),
    }
}
