//! With what a draft or a version is compared.

use serde_json::{Map, Value};

use crate::domain::wrong::Wrong;
use crate::store::documents::DocumentRow;
use crate::store::tenant_tx::TenantTx;
use crate::tenants::refusal::Refusal;

/// What a draft or a version is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComparisonBase {
    Live,
    /// The newest sealed version.
    Latest,
    /// Its base version.
    Base,
    /// The version of this number.
    Number(i32),
}

impl ComparisonBase {
    /// `live`, `latest`, `base` or a number.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "live" => Some(Self::Live),
            "latest" => Some(Self::Latest),
            "base" => Some(Self::Base),
            number => number.parse().ok().filter(|n| *n > 0).map(Self::Number),
        }
    }
}

/// The content to compare with; an empty one where there is no such version yet. `live` is the version that mints get.
pub async fn other_side(
    tx: &mut TenantTx,
    document: &DocumentRow,
    live: Option<i32>,
    base: Option<i32>,
    against: ComparisonBase,
) -> Result<Map<String, Value>, Refusal> {
    let number = match against {
        ComparisonBase::Live => live,
        ComparisonBase::Latest => document.latest_version,
        ComparisonBase::Base => base,
        ComparisonBase::Number(number) => Some(number),
    };
    let Some(number) = number else {
        return Ok(Map::new());
    };
    let version = tx.version(document.id, number).await?;
    let version =
        version.ok_or_else(|| Refusal::fault("/against", Wrong::NoSuchVersion(number)))?;
    Ok(version.content)
}
