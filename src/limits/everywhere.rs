//! Rates that all instances count together.

use governor::Quota;

use super::TooMany;
use crate::domain::ids::TenantId;
use crate::shared::{RateRefused, Shared, SharedRate};
use crate::telemetry::metrics::Limit;

/// Where they are counted; nowhere if instances share nothing.
#[derive(Debug, Default)]
pub(super) struct Everywhere(pub(super) Option<Shared>);

/// A rate that a request is held to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) limit: Limit,
    /// Nil for what is no tenant's.
    pub(super) tenant: TenantId,
    /// Whose; empty for the tenant's own.
    pub(super) whose: &'a [u8],
    pub(super) quota: Quota,
}

impl Everywhere {
    /// Counts a request against all rates of a step, or against none. Where it can't be asked, `here` does for this instance alone.
    /// It also counts what was let in by all, so that it knows of that when they are away.
    pub(super) async fn count<const N: usize>(
        &self,
        step: &'static str,
        asked: [Option<Asked<'_>>; N],
        here: impl FnOnce() -> Result<(), TooMany>,
    ) -> Result<(), TooMany> {
        let Some(counted) = self.take(step, asked).await else {
            return here();
        };
        counted?;
        // Others count at least as much, so here is room as well.
        _ = here();
        Ok(())
    }

    async fn take<const N: usize>(
        &self,
        step: &'static str,
        asked: [Option<Asked<'_>>; N],
    ) -> Option<Result<(), TooMany>> {
        let shared = self.0.as_ref()?;
        let asked: Vec<Asked<'_>> = asked.into_iter().flatten().collect();
        if asked.is_empty() {
            return None;
        }
        let rates: Vec<SharedRate<'_>> = asked
            .iter()
            .map(|one| SharedRate {
                kind: step,
                tenant: one.tenant,
                whose: one.whose,
                every: one.quota.replenish_interval(),
                burst: one.quota.burst_size().get(),
            })
            .collect();
        let counted = shared.take(&rates).await?;
        Some(counted.map_err(|RateRefused { at, retry_after }| {
            let limit = asked.get(at).map_or(Limit::Tenant, |one| one.limit);
            TooMany::Often { limit, retry_after }
        }))
    }
}
