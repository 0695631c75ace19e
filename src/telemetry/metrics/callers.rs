//! Who calls: tokens, origins, issuers' keys, sign-in.

use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Unit;

use super::Metrics;
use super::labels::{ByAsked, ByReason, ByResult, ByState, OriginCheck};
use super::register::{Counters, Gauges, Register, set};

#[derive(Debug)]
pub(super) struct Callers {
    auth_refusals: Counters<ByReason>,
    origin_refusals: Counters<ByAsked>,
    jwks_fetches: Counters<ByResult>,
    issuer_keys: Gauges<ByState>,
    oldest_keys: Gauges<ByState>,
    introspections: Counters<ByResult>,
    sign_ins: Counters<ByResult>,
    master_keys_to_reseal: Gauge,
}

impl Callers {
    pub(super) fn register(to: &mut Register<'_>) -> Self {
        Self {
            auth_refusals: to.add(
                "auth_refusals",
                "Tokens refused, by reason",
                Counters::default(),
            ),
            origin_refusals: to.add(
                "origin_refusals",
                "Origins of pages refused, by what named them",
                Counters::default(),
            ),
            jwks_fetches: to.add(
                "jwks_fetch",
                "Fetches of issuers' key sets, by result",
                Counters::default(),
            ),
            issuer_keys: to.add(
                "issuer_keys",
                "Issuers whose keys are fetched, by what there is of them; failing: old ones serve for a while; missing: tokens can't be judged",
                Gauges::default(),
            ),
            oldest_keys: to.add_in(
                Unit::Seconds,
                "issuer_keys_oldest",
                "Time since the last good fetch of the key set that was fetched longest ago, by the same states; 0 where there is none",
                Gauges::default(),
            ),
            introspections: to.add(
                "introspections",
                "Questions to issuers about opaque tokens, by result",
                Counters::default(),
            ),
            sign_ins: to.add(
                "sign_ins",
                "Tries to sign in to administer, by result",
                Counters::default(),
            ),
            master_keys_to_reseal: to.add(
                "master_keys_to_reseal",
                "Master keys beside the first with which secrets may still be sealed; `master-key reseal` seals these again",
                Gauge::default(),
            ),
        }
    }
}

impl Metrics {
    /// A token was refused, for the reason of that label.
    pub fn auth_refusal(&self, reason: &'static str) {
        self.0
            .callers
            .auth_refusals
            .get_or_create(&ByReason { reason })
            .inc();
    }

    /// A page's origin was refused.
    pub fn origin_refusal(&self, asked: OriginCheck) {
        let labels = ByAsked {
            asked: asked.label(),
        };
        self.0.callers.origin_refusals.get_or_create(&labels).inc();
    }

    /// An issuer's keys were fetched: `ok`, or the label of the failure.
    pub fn jwks_fetch(&self, result: &'static str) {
        self.0
            .callers
            .jwks_fetches
            .get_or_create(&ByResult { result })
            .inc();
    }

    /// So many issuers' fetched keys are in this state; the oldest of them were fetched so long ago.
    pub fn issuer_keys(&self, state: &'static str, issuers: usize, oldest: Duration) {
        let labels = ByState { state };
        set(&self.0.callers.issuer_keys.get_or_create(&labels), issuers);
        let oldest = usize::try_from(oldest.as_secs()).unwrap_or(usize::MAX);
        set(&self.0.callers.oldest_keys.get_or_create(&labels), oldest);
    }

    /// With so many master keys beside the first, something may still be sealed.
    pub fn master_keys_to_reseal(&self, keys: usize) {
        set(&self.0.callers.master_keys_to_reseal, keys);
    }

    /// An issuer's introspection endpoint was called: `ok`, `refused`, or the label of the failure.
    pub fn introspection(&self, result: &'static str) {
        self.0
            .callers
            .introspections
            .get_or_create(&ByResult { result })
            .inc();
    }

    /// Somebody tried to sign in to administer: `ok`, or the label of the failure.
    pub fn sign_in(&self, result: &'static str) {
        self.0
            .callers
            .sign_ins
            .get_or_create(&ByResult { result })
            .inc();
    }
}
