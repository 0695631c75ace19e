//! `/v1/admin/refusals`: whose tokens and pages were refused, and why. Callers are not told; the tenant's admins are.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::fault::Fault;
use crate::domain::wrong::Wrong;
use crate::refusals::RefusalReason;
use crate::store::refusals::{RefusalPlace, RefusalRow};
use crate::web::admin::View;
use crate::web::input::{Member, Schemas, input};
use crate::web::operation::{Answer, Call, Page, PageOf, operations};

operations! {
    "Admin: access";

    "/v1/admin/refusals" {
        /// Lists refused tokens and pages of the last 30 days, by reason and by what they claimed, newest first. Refusals of this
        /// instance appear at once, those of others within seconds.
        GET listRefusals => list;
    }
}

input! {
    /// Filters for refusals.
    struct RefusalsFilter {
        /// Only refusals for this reason.
        #[example("wrong_audience")]
        reason: Option<RefusalReason>,
    }
}

/// The name of a reason.
impl Member for RefusalReason {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        value.as_str().and_then(Self::named).ok_or_else(|| {
            let names: Vec<&str> = Self::all().map(Self::as_label).collect();
            vec![Fault::new("", Wrong::one_of(&names))]
        })
    }

    fn schema(_: &mut Schemas) -> Value {
        let names: Vec<&str> = Self::all().map(Self::as_label).collect();
        json!({ "type": "string", "enum": names })
    }
}

/// Refusals that are the same one, seen several times. What it says of the token was not verified: anybody can send one that
/// claims to be your users'.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RefusalItem {
    /// Its stable name.
    #[schema(example = "wrong_audience")]
    reason: String,
    /// The reason, in a sentence.
    #[schema(example = "aud names none of this issuer's audiences")]
    meaning: String,
    /// How to correct it.
    advice: &'static str,
    /// The token's `iss`.
    #[schema(example = "https://login.example.com")]
    issuer: Option<String>,
    /// The token's `aud`; several with commas between.
    #[schema(example = "another-app")]
    audience: Option<String>,
    /// The `kid` in the token's header.
    kid: Option<String>,
    /// The page's origin, where that was refused.
    #[schema(example = "https://app.example.com")]
    origin: Option<String>,
    /// Whether this counts further ones of the reason, which are not listed one by one: the newest 20 are.
    others: bool,
    count: i64,
    /// The first time.
    first_at: DateTime<Utc>,
    /// The last time.
    last_at: DateTime<Utc>,
    /// The `X-Request-Id` of the last time; null of the others.
    request_id: Option<Uuid>,
}

impl From<RefusalRow> for RefusalItem {
    fn from(row: RefusalRow) -> Self {
        let text = |text: String| (!text.is_empty()).then_some(text);
        let why = RefusalReason::named(&row.reason);
        Self {
            meaning: why.map_or_else(|| row.reason.clone(), RefusalReason::meaning),
            advice: why.map_or("", RefusalReason::advice),
            reason: row.reason,
            issuer: text(row.issuer),
            audience: text(row.audience),
            kid: text(row.kid),
            origin: text(row.origin),
            others: row.fingerprint.is_empty(),
            count: row.count,
            first_at: row.first_at,
            last_at: row.last_at,
            request_id: row.request.map(|id| id.0),
        }
    }
}

async fn list(call: Call<View>, page: PageOf<RefusalsFilter>) -> Answer<Page<RefusalItem>> {
    call.gateway().refusals.flush().await;
    let reason = page.filter.reason.map(RefusalReason::as_label);
    let after = page.after().and_then(parse_position);
    let mut tx = call.read().await?;
    let rows = tx.refusals(reason, after, page.rows()).await?;
    tx.commit().await?;
    Ok(page.of(rows, position, RefusalItem::from))
}

fn position(row: &RefusalRow) -> String {
    let micros = row.last_at.timestamp_micros();
    format!("{micros} {} {}", row.reason, hex::encode(&row.fingerprint))
}

/// Where a row stands, as a cursor keeps it.
fn parse_position(position: &str) -> Option<RefusalPlace> {
    let mut parts = position.split(' ');
    let at = DateTime::from_timestamp_micros(parts.next()?.parse().ok()?)?;
    Some((
        at,
        parts.next()?.to_owned(),
        hex::decode(parts.next()?).ok()?,
    ))
}
