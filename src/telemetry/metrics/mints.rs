//! Session tokens, and what Anam says.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Unit;

use super::Metrics;
use super::labels::{ByFound, ByOutcome, ByResult, ByStage, ByState, Stage};
use super::register::{Counters, Gauges, Register, Timings, set, timings};
use crate::domain::ids::TenantId;
use crate::domain::trace::ContextFound;

#[derive(Debug)]
pub(super) struct Mints {
    ended: Counters<ByOutcome>,
    tests: Counters<ByOutcome>,
    contexts: Counters<ByFound>,
    duration: Timings<ByStage>,
    anam_requests: Counters<ByResult>,
    anam_breakers_open: Gauge,
    places: Gauges<ByState>,
    places_not_counted: Counter,
}

impl Mints {
    pub(super) fn register(to: &mut Register<'_>) -> Self {
        Self {
            ended: to.add("mint", "Mints ended, by outcome", Counters::default()),
            tests: to.add("test_call", "Test calls, by outcome", Counters::default()),
            contexts: to.add(
                "mint_contexts",
                "Contexts of mints, by how they were found; default_instead and nothing are contexts that do not exist",
                Counters::default(),
            ),
            duration: to.add_in(
                Unit::Seconds,
                "mint_duration",
                "Time of a mint, by stage",
                timings(),
            ),
            anam_requests: to.add(
                "anam_requests",
                "Tries at Anam, by result",
                Counters::default(),
            ),
            anam_breakers_open: to.add(
                "anam_breakers_open",
                "Tenants' Anam keys with which Anam is not asked for a while, since it failed too often",
                Gauge::default(),
            ),
            places: to.add(
                "platform_places",
                "Places of the platform's Anam key, as the database has them: all that there are, taken, and users who are waiting for one; nothing where they are not counted",
                Gauges::default(),
            ),
            places_not_counted: to.add(
                "places_not_counted",
                "Tokens given without counting their conversation, since the database did not answer in time",
                Counter::default(),
            ),
        }
    }
}

impl Metrics {
    /// A mint ended: `issued`, or the stable code of its failure. The tenant is that of a token that was accepted.
    pub fn mint(&self, outcome: &'static str, tenant: Option<TenantId>) {
        self.0
            .mints
            .ended
            .get_or_create(&ByOutcome { outcome })
            .inc();
        if let Some(tenant) = tenant {
            self.0.tenants.count(tenant, outcome);
        }
    }

    /// The same of a test call, which is no mint of a user.
    pub fn test_call(&self, outcome: &'static str) {
        self.0
            .mints
            .tests
            .get_or_create(&ByOutcome { outcome })
            .inc();
    }

    /// How the context of a mint was found, and whether any answered.
    pub fn mint_context(&self, found: ContextFound, answered: bool) {
        let found = match (found, answered) {
            (ContextFound::ByKey, _) => "by_key",
            (ContextFound::ByAlias, _) => "by_alias",
            (_, false) => "nothing",
            (ContextFound::NotNamed, true) => "not_named",
            (ContextFound::Unknown, true) => "default_instead",
        };
        let labels = ByFound { found };
        self.0.mints.contexts.get_or_create(&labels).inc();
    }

    /// How long one stage of a mint took.
    pub fn mint_stage(&self, stage: Stage, took: Duration) {
        let labels = ByStage {
            stage: stage.label(),
        };
        let histogram = self.0.mints.duration.get_or_create(&labels);
        histogram.observe(took.as_secs_f64());
    }

    /// One try at Anam ended: `ok`, or the label of the failure.
    pub fn anam_request(&self, result: &'static str) {
        self.0
            .mints
            .anam_requests
            .get_or_create(&ByResult { result })
            .inc();
    }

    /// With so many keys of tenants, Anam is not asked for a while.
    pub fn anam_breakers_open(&self, keys: usize) {
        set(&self.0.mints.anam_breakers_open, keys);
    }

    /// The places of the platform's key, those that are taken, and users who wait for one.
    pub fn platform_places(&self, all: u32, taken: u32, waiting: u32) {
        for (state, number) in [("all", all), ("taken", taken), ("waiting", waiting)] {
            let labels = ByState { state };
            let places = self.0.mints.places.get_or_create(&labels);
            places.set(i64::from(number));
        }
    }

    /// A token was given without counting its conversation.
    pub fn place_not_counted(&self) {
        self.0.mints.places_not_counted.inc();
    }
}
