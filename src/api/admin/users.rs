//! `/v1/admin/users/{subject}/preferences` and `/v1/admin/preferences:import`: users' choices, looked after by admins.

use std::time::Duration;

use actix_web::web;
use futures_util::StreamExt;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::api::choices::{Choices, ChoicesPatch};
use crate::api::preferences::validator;
use crate::domain::caller::Subject;
use crate::domain::request::BodyFault;
use crate::gateway::Gateway;
use crate::store::preferences::StoredPreferences;
use crate::tenants::admin::Admin;
use crate::tenants::preferences::Change as PreferencesChange;
use crate::tenants::preferences::by_admin::{self, Import, ImportReport};
use crate::tenants::preferences::import::{Line, Lines, MAX_LINE};
use crate::tenants::refusal::Refusal;
use crate::web::Problem;
use crate::web::admin::{Edit, View};
use crate::web::body;
use crate::web::finding::FaultBody;
use crate::web::input::input;
use crate::web::operation::{
    Answer, Body, Call, Described, IfMatch, Intake, Json, NoContent, Part, Patch, Path, Query,
    Tagged, operations,
};

const NDJSON: &[&str] = &["application/x-ndjson", "application/jsonl"];
/// Bytes of an import that are taken at once.
const IMPORTED_AT_ONCE: usize = 128 * 1024;

operations! {
    "Admin: users";

    "/v1/admin/users/{subject:[^/]+}/preferences" {
        /// Returns a user's preferences; `{}` if there are none.
        GET getUserPreferences => get;
        /// Replaces all of a user's preferences.
        PUT putUserPreferences => put;
        /// Changes some of a user's preferences: a JSON merge patch (RFC 7396), where null removes a preference.
        PATCH patchUserPreferences => patch;
        /// Deletes all of a user's preferences.
        DELETE eraseUserPreferences => erase;
    }
    "/v1/admin/preferences:import" {
        /// Imports the preferences of many users from NDJSON, one `{"subject": "...", "preferences": {...}}` a line. The file may
        /// have any size. A line that fails is reported with its number; the others are applied, in batches. Sending the same file
        /// again is safe.
        POST importPreferences => import;
    }
}

/// The result of an import.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PreferencesImport)]
struct ImportBody {
    /// Lines whose choices are new.
    imported: u64,
    /// Good lines that changed nothing.
    unchanged: u64,
    /// Lines that failed; all others were applied.
    failed_lines: u64,
    /// The first hundred of those that failed.
    failed: Vec<FailedLineBody>,
    /// Whether nothing was written, since this was a dry run.
    dry_run: bool,
}

/// A line that was left out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FailedLine)]
struct FailedLineBody {
    /// Its number, from 1.
    #[schema(example = 17)]
    line: u64,
    /// Why; pointers are into the line.
    errors: Vec<FaultBody>,
}

impl ImportBody {
    fn new(report: ImportReport, dry_run: bool) -> Self {
        let failed = report.faults.into_iter().map(|failed| FailedLineBody {
            line: failed.line,
            errors: failed.errors.iter().map(FaultBody::from).collect(),
        });
        Self {
            imported: report.imported,
            unchanged: report.unchanged,
            failed_lines: report.failed,
            failed: failed.collect(),
            dry_run,
        }
    }
}

input! {
    /// Options of an import.
    struct ImportOptions {
        /// `true`: says what an import would do, and writes nothing.
        dry_run: bool = false,
    }
}

/// Lines of JSON, read while they come: the file may have any size.
struct Upload {
    payload: web::Payload,
    /// How long the next piece may take.
    patience: Duration,
}

impl Part for Upload {
    async fn take(intake: &mut Intake) -> Result<Self, Problem> {
        body::check_media_type(&intake.request, NDJSON)?;
        Ok(Self {
            patience: intake.body_limits()?.timeout,
            payload: intake.payload()?,
        })
    }

    fn describe(operation: &mut Described<'_>) {
        let about = format!(
            "One JSON object a line, at most {} kB each",
            MAX_LINE / 1024
        );
        let line = "{\"subject\": \"auth0|123\", \"preferences\": {\"languageCode\": \"de\"}}\n";
        let schema = json!({ "type": "string", "description": about, "examples": [line] });
        operation.body(NDJSON, &schema, true);
    }
}

async fn get(call: Call<View>, subject: Path<Subject>) -> Answer<Tagged<Choices>> {
    let mut tx = call.read().await?;
    Ok(tagged(&tx.preferences(&subject).await?))
}

async fn put(
    call: Call<Edit>,
    Path(subject): Path<Subject>,
    seen: IfMatch,
    sent: Body<Choices>,
) -> Answer<Tagged<Choices>> {
    let Choices(choices) = sent.checked()?;
    let written = write(&call, subject, seen, PreferencesChange::Replace(choices)).await?;
    Ok(tagged(&written))
}

async fn patch(
    call: Call<Edit>,
    Path(subject): Path<Subject>,
    seen: IfMatch,
    sent: Patch<ChoicesPatch>,
) -> Answer<Tagged<Choices>> {
    let ChoicesPatch(choices) = sent.checked()?;
    let written = write(&call, subject, seen, PreferencesChange::Merge(choices)).await?;
    Ok(tagged(&written))
}

async fn erase(call: Call<Edit>, Path(subject): Path<Subject>, seen: IfMatch) -> Answer<NoContent> {
    write(&call, subject, seen, PreferencesChange::Clear).await?;
    Ok(NoContent)
}

async fn import(
    call: Call<Edit>,
    options: Query<ImportOptions>,
    mut upload: Upload,
) -> Answer<Json<ImportBody>> {
    let dry_run = options.0.dry_run;
    let gateway = call.gateway().clone().into_inner();
    let mut import = Import::begin(gateway.clone(), Admin::clone(&call), dry_run).await?;
    let mut lines = Lines::default();
    let (mut waiting, mut bytes) = (Vec::new(), 0);
    // As long as something comes, it may take its time.
    while let Some(piece) = tokio::time::timeout(upload.patience, upload.payload.next())
        .await
        .map_err(|_elapsed| BodyFault::TimedOut)?
    {
        let piece = piece.map_err(|_broken| BodyFault::BrokeOff)?;
        bytes += piece.len();
        waiting.extend(lines.push(&piece));
        if bytes >= IMPORTED_AT_ONCE {
            import = take(&gateway, import, std::mem::take(&mut waiting)).await?;
            bytes = 0;
        }
    }
    waiting.extend(lines.finish());
    let import = take(&gateway, import, waiting).await?;
    let report = call.work(async move |_| Ok(import.finish().await?)).await;
    gateway.sources.users_changed(call.tenant);
    let report = report?;
    Ok(Json::new(&ImportBody::new(report, dry_run)))
}

/// Lets a work thread take some lines.
async fn take(gateway: &Gateway, mut import: Import, lines: Vec<Line>) -> Result<Import, Problem> {
    let taken = gateway.work(import.tenant(), async move || {
        for line in lines {
            import.take(line).await?;
        }
        Ok::<_, Refusal>(import)
    });
    Ok(taken.await??)
}

async fn write(
    call: &Call<Edit>,
    subject: Subject,
    seen: IfMatch,
    wish: PreferencesChange,
) -> Answer<StoredPreferences> {
    let user = subject.clone();
    let written = call
        .change(async move |change| {
            let stored = change.tx.lock_preferences(&subject).await?;
            seen.check(&validator(&stored), || {
                Value::Object(stored.preferences.to_document())
            })?;
            Ok(by_admin::write(change, &subject, stored, wish).await?)
        })
        .await;
    call.gateway().sources.user_changed(call.tenant, &user);
    written
}

fn tagged(stored: &StoredPreferences) -> Tagged<Choices> {
    let choices = Choices(stored.preferences.to_document());
    Tagged::new(&choices, &validator(stored))
}
