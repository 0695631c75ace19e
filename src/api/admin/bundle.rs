//! `/v1/admin/bundle`: the whole tenant as one document.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::views::change::ChangeBody;
use crate::authoring::apply::{Application, ApplyError, ApplyOptions, MAX_MESSAGE, shared_issuers};
use crate::authoring::bundle::{Bundle, SecretRef};
use crate::authoring::export::export;
use crate::authoring::plan::{Action, Plan, Step};
use crate::domain::fault::{Fault, Faults, step};
use crate::domain::finding::Finding;
use crate::domain::wrong::Wrong;
use crate::store::issuers::SharedIssuerRow;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;
use crate::web::admin::{Publish, View};
use crate::web::finding::{FindingBody, finding_bodies};
use crate::web::input::{Block, Member, Object, Schemas, answered_words, input};
use crate::web::operation::{Absent, Answer, Body, Call, Json, Once, Provable, Unless, operations};

operations! {
    "Admin: bundles";

    "/v1/admin/bundle" {
        /// Exports the whole tenant as a bundle, as it is live now. Secrets are not included; the bundle says `stored` in their
        /// place.
        GET exportBundle => get;
    }
    "/v1/admin/bundle:apply" {
        /// Applies a bundle: all of it or nothing. A second time changes nothing. Documents, catalogue and sample users need the
        /// role publisher; a bundle that changes name, policy, issuers or the provider key needs owner. If the policy asks for
        /// approvals, documents are sealed and wait for them; the plan says so. A dry run wants no recent sign-in. The answer to a dry run is never stored under its
        /// `Idempotency-Key`.
        POST applyBundle => apply;
    }
}

input! {
    /// A bundle to apply.
    struct NewBundle {
        /// The bundle; `persona-gateway schema` prints its JSON Schema. `tenant` must be the credential's own.
        #[example({ "tenant": "acme", "snippets": { "tone": { "text": "Be kind." } } })]
        bundle: NewBundleContent,
        /// Each secret that the bundle refers to as `env` or `file`, by the pointer of the reference. Secrets that say `stored`
        /// stay as they are.
        #[example({ "/issuers/0/secret": "..." })]
        secrets: SecretsByPointer = SecretsByPointer::default(),
        /// Tell the exact plan, and change nothing; false unless set.
        dry_run: bool = false,
        /// Remove what the bundle does not have, from the sections that it does have; false unless set.
        prune: bool = false,
        /// The reason, for the history.
        #[example("Shorter greetings")]
        message: Block<MAX_MESSAGE> = Block::default(),
    }
}

/// Texts by pointer.
#[derive(Debug, Default)]
struct SecretsByPointer(BTreeMap<String, SecretString>);

impl Member for SecretsByPointer {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        let Value::Object(members) = value else {
            return Err(vec![Fault::new(
                "",
                Wrong::Object.worded("must be an object of pointers and texts"),
            )]);
        };
        let mut faults = Faults::new();
        let mut secrets = BTreeMap::new();
        for (at, secret) in members {
            match secret {
                Value::String(text) if !text.trim().is_empty() => {
                    secrets.insert(at, SecretString::from(text.trim()));
                }
                _ => faults.add(step(&at), Wrong::NotEmpty),
            }
        }
        faults.into_result(Self(secrets))
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({
            "type": "object",
            "additionalProperties": { "type": "string", "minLength": 1, "writeOnly": true },
        })
    }
}

answered_words! {
    Action: Create, Change, Remove;
}

/// The bundle itself. It is read where it is applied, with all its faults at once.
#[derive(Debug)]
struct NewBundleContent(Object);

impl Member for NewBundleContent {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        Object::read(value).map(Self)
    }

    fn schema(schemas: &mut Schemas) -> Value {
        schemas.whole_bundle()
    }
}

/// A bundle, as `persona-gateway schema` describes it.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct BundleBody(Value);

impl utoipa::PartialSchema for BundleBody {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        let bundle =
            utoipa::openapi::schema::RefBuilder::new().ref_location_from_schema_name("Bundle");
        bundle.description(Some("The tenant as a bundle")).into()
    }
}

impl ToSchema for BundleBody {
    fn name() -> std::borrow::Cow<'static, str> {
        "ExportedBundle".into()
    }
}

/// What applying a bundle changes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PlanBody {
    /// The tenant's name in URLs.
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
    #[schema(example = "change")]
    verb: Action,
    /// What the step changes, such as `persona/guide`.
    #[schema(example = "persona/guide")]
    target: String,
    /// A remark, where the change needs one.
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

async fn get(call: Call<View>) -> Answer<Unless<Absent, Json<BundleBody>>> {
    let tenant = call.tenant;
    call.work(async move |gateway| {
        let mut tx = gateway.database.tenant(tenant).await?;
        let bundle = export(&mut tx).await?;
        tx.commit().await?;
        let bundle = bundle.ok_or(Refusal::NotFound)?;
        Ok(Json::new(&BundleBody(bundle)).into())
    })
    .await
}

async fn apply(
    caller: Provable<Call<Publish>>,
    sent: Once<Body<NewBundle>>,
) -> Answer<Json<PlanBody>> {
    let is_dry = sent.get().is_some_and(|sent| sent.dry_run);
    let call = if is_dry {
        caller.any()
    } else {
        caller.recent()?
    };
    let shared = shared_issuers(&call.gateway().database).await?;
    if is_dry {
        let sent = sent.into_sent().checked()?;
        return call
            .try_out(async move |change| {
                let plan = applied(change, sent, &shared).await?;
                Ok(Json::new(&plan))
            })
            .await;
    }
    call.once(sent, async move |change, sent| {
        let plan = applied(change, sent, &shared).await?;
        Ok(Json::new(&plan))
    })
    .await
}

/// Applies what was sent, within the change.
async fn applied(
    change: &mut Change,
    sent: NewBundle,
    shared: &[SharedIssuerRow],
) -> Result<PlanBody, Refusal> {
    let bundle = Bundle::read(&Value::Object(sent.bundle.0));
    let bundle = bundle.map_err(|faults| document_invalid(faults, Vec::new()))?;
    let (bundle, SecretsByPointer(secrets)) = with_secrets(bundle, sent.secrets)?;
    let options = ApplyOptions {
        dry_run: sent.dry_run,
        prune: sent.prune,
        message: sent.message.into(),
        ..ApplyOptions::by(change.admin.actor.clone())
    };
    let find_secret = |reference: &SecretRef| match reference {
        SecretRef::Sent(at) => secrets
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

/// Points the bundle's references at what was sent. Environment and files of this machine are none of the caller's business.
fn with_secrets(
    mut bundle: Bundle,
    secrets: SecretsByPointer,
) -> Result<(Bundle, SecretsByPointer), Refusal> {
    let mut wanted = Vec::new();
    for (at, reference) in bundle.wanted_secrets() {
        *reference = SecretRef::Sent(at.clone());
        wanted.push(at);
    }
    let surplus = secrets.0.keys().filter(|at| !wanted.contains(at));
    let faults: Vec<Fault> = surplus
        .map(|at| Fault::new(format!("/secrets{}", step(at)), Wrong::NoSecretThere))
        .collect();
    if faults.is_empty() {
        Ok((bundle, secrets))
    } else {
        Err(Refusal::Invalid(faults))
    }
}

/// The faults of a bundle and what was found in its documents, seen from the body.
fn document_invalid(faults: Vec<Fault>, findings: Vec<Finding>) -> Refusal {
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
        ApplyError::Faults { faults, findings } => document_invalid(faults, findings),
        ApplyError::Store(error) => error.into(),
        ApplyError::Refused(refusal) => refusal,
        ApplyError::Seal(error) => error.into(),
    }
}
