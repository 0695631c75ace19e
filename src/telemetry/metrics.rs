//! Metrics for Prometheus. One value per app rather than a global, so that tests can look at it.
//!
//! Labels are fixed words, never a tenant, a user or a path as it was sent.

mod labels;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

pub use self::labels::{Limit, OriginCheck, Outcome, Stage};

use self::labels::{
    ByAsked, ByFound, ByLimit, ByOutcome, ByReason, ByResult, ByStage, ByState, RouteAndClass,
};
use super::logging::dropped_lines;
use crate::domain::trace::ContextFound;

/// What [`Metrics::encode`] writes: `OpenMetrics` 1.0.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// From a cached decision (tens of microseconds) to Anam's deadline.
const SECONDS: [f64; 16] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 10.0,
];
const BATCH_ROWS: [f64; 8] = [1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 500.0];

type Timings<S> = Family<S, Histogram, fn() -> Histogram>;

/// Everything that is counted. Cheap to clone; clones count together.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    http_requests: Family<RouteAndClass, Counter>,
    mints: Family<ByOutcome, Counter>,
    tests: Family<ByOutcome, Counter>,
    mint_contexts: Family<ByFound, Counter>,
    mint_duration: Timings<ByStage>,
    auth_refusals: Family<ByReason, Counter>,
    origin_refusals: Family<ByAsked, Counter>,
    jwks_fetches: Family<ByResult, Counter>,
    issuer_keys: Family<ByState, Gauge>,
    master_keys_to_reseal: Gauge,
    introspections: Family<ByResult, Counter>,
    sign_ins: Family<ByResult, Counter>,
    mails: Family<ByResult, Counter>,
    anam_requests: Family<ByResult, Counter>,
    anam_breakers_open: Gauge,
    limit_refusals: Family<ByLimit, Counter>,
    in_progress: Gauge,
    waiting: Gauge,
    in_progress_limit: Gauge,
    ledger_writes: Family<ByResult, Counter>,
    ledger_write_duration: Histogram,
    ledger_batch: Histogram,
    ledger_queue: Gauge,
    ledger_spooled: Counter,
    ledger_ready_until: Gauge,
    snapshot_loads: Family<ByResult, Counter>,
    tenants_in_memory: Gauge,
    known_users: Gauge,
    known_users_memory: Gauge,
    log_lines_dropped: Counter,
}

impl Metrics {
    pub fn new() -> Self {
        let seconds = || Histogram::new(SECONDS);
        let inner = Inner {
            registry: Registry::with_prefix("gateway"),
            http_requests: Family::default(),
            mints: Family::default(),
            tests: Family::default(),
            mint_contexts: Family::default(),
            mint_duration: Family::new_with_constructor(seconds),
            auth_refusals: Family::default(),
            origin_refusals: Family::default(),
            jwks_fetches: Family::default(),
            issuer_keys: Family::default(),
            master_keys_to_reseal: Gauge::default(),
            introspections: Family::default(),
            sign_ins: Family::default(),
            mails: Family::default(),
            anam_requests: Family::default(),
            anam_breakers_open: Gauge::default(),
            limit_refusals: Family::default(),
            in_progress: Gauge::default(),
            waiting: Gauge::default(),
            in_progress_limit: Gauge::default(),
            ledger_writes: Family::default(),
            ledger_write_duration: seconds(),
            ledger_batch: Histogram::new(BATCH_ROWS),
            ledger_queue: Gauge::default(),
            ledger_spooled: Counter::default(),
            ledger_ready_until: Gauge::default(),
            snapshot_loads: Family::default(),
            tenants_in_memory: Gauge::default(),
            known_users: Gauge::default(),
            known_users_memory: Gauge::default(),
            log_lines_dropped: Counter::default(),
        };
        Self(Arc::new(inner.registered()))
    }

    /// A request was answered. `route` is the pattern that matched, such as `/v1/sessions/{id}`.
    pub fn http_request(&self, route: &str, status: u16) {
        let labels = RouteAndClass {
            route: route.to_owned(),
            class: status_class(status),
        };
        self.0.http_requests.get_or_create(&labels).inc();
    }

    /// A mint ended: `issued`, or the stable code of its failure.
    pub fn mint(&self, outcome: &'static str) {
        self.0.mints.get_or_create(&ByOutcome { outcome }).inc();
    }

    /// The same of a test call, which is no mint of a user.
    pub fn test_call(&self, outcome: &'static str) {
        self.0.tests.get_or_create(&ByOutcome { outcome }).inc();
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
        self.0.mint_contexts.get_or_create(&labels).inc();
    }

    /// How long one stage of a mint took.
    pub fn mint_stage(&self, stage: Stage, took: Duration) {
        let labels = ByStage {
            stage: stage.label(),
        };
        let histogram = self.0.mint_duration.get_or_create(&labels);
        histogram.observe(took.as_secs_f64());
    }

    /// A token was refused, for the reason of that label.
    pub fn auth_refusal(&self, reason: &'static str) {
        self.0
            .auth_refusals
            .get_or_create(&ByReason { reason })
            .inc();
    }

    /// A page's origin was refused.
    pub fn origin_refusal(&self, asked: OriginCheck) {
        let labels = ByAsked {
            asked: asked.label(),
        };
        self.0.origin_refusals.get_or_create(&labels).inc();
    }

    /// An issuer's keys were fetched: `ok`, or the label of the failure.
    pub fn jwks_fetch(&self, result: &'static str) {
        self.0
            .jwks_fetches
            .get_or_create(&ByResult { result })
            .inc();
    }

    /// So many issuers' fetched keys are in this state.
    pub fn issuer_keys(&self, state: &'static str, issuers: usize) {
        let gauge = self.0.issuer_keys.get_or_create(&ByState { state });
        gauge.set(i64::try_from(issuers).unwrap_or(i64::MAX));
    }

    /// With so many master keys beside the first, something may still be sealed.
    pub fn master_keys_to_reseal(&self, keys: usize) {
        let gauge = &self.0.master_keys_to_reseal;
        gauge.set(i64::try_from(keys).unwrap_or(i64::MAX));
    }

    /// An issuer's introspection endpoint was called: `ok`, `refused`, or the label of the failure.
    pub fn introspection(&self, result: &'static str) {
        self.0
            .introspections
            .get_or_create(&ByResult { result })
            .inc();
    }

    /// Somebody tried to sign in to administer: `ok`, or the label of the failure.
    pub fn sign_in(&self, result: &'static str) {
        self.0.sign_ins.get_or_create(&ByResult { result }).inc();
    }

    /// A letter was sent, or the label of why not yet or not at all.
    pub fn mail(&self, result: &'static str) {
        self.0.mails.get_or_create(&ByResult { result }).inc();
    }

    /// One try at Anam ended: `ok`, or the label of the failure.
    pub fn anam_request(&self, result: &'static str) {
        self.0
            .anam_requests
            .get_or_create(&ByResult { result })
            .inc();
    }

    /// With so many keys of tenants, Anam is not asked for a while.
    pub fn anam_breakers_open(&self, keys: usize) {
        let gauge = &self.0.anam_breakers_open;
        gauge.set(i64::try_from(keys).unwrap_or(i64::MAX));
    }

    /// A limit refused a request.
    pub fn limit_refusal(&self, limit: Limit) {
        let labels = ByLimit {
            limit: limit.label(),
        };
        self.0.limit_refusals.get_or_create(&labels).inc();
    }

    /// So many users' requests are in progress, wait for their turn, and may be in progress now.
    pub fn turns(&self, in_progress: usize, waiting: usize, limit: usize) {
        let set = |gauge: &Gauge, value| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        set(&self.0.in_progress, in_progress);
        set(&self.0.waiting, waiting);
        set(&self.0.in_progress_limit, limit);
    }

    /// A batch of ledger rows was committed, or was not.
    pub fn ledger_write(&self, rows: u32, took: Duration, outcome: Outcome) {
        let labels = ByResult {
            result: outcome.label(),
        };
        self.0.ledger_writes.get_or_create(&labels).inc();
        self.0.ledger_write_duration.observe(took.as_secs_f64());
        self.0.ledger_batch.observe(f64::from(rows));
    }

    /// How many ledger rows wait to be written.
    pub fn ledger_queue(&self, rows: i64) {
        self.0.ledger_queue.set(rows);
    }

    /// So many ledger rows went to the spool, since the database did not take them.
    pub fn ledger_spooled(&self, rows: usize) {
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        self.0.ledger_spooled.inc_by(rows);
    }

    /// Until when the ledger's months are made, in seconds since 1970.
    pub fn ledger_ready_until(&self, seconds: i64) {
        self.0.ledger_ready_until.set(seconds);
    }

    /// A tenant's snapshot was built again, or could not be.
    pub fn snapshot_load(&self, outcome: Outcome) {
        let labels = ByResult {
            result: outcome.label(),
        };
        self.0.snapshot_loads.get_or_create(&labels).inc();
    }

    /// So many tenants' snapshots are in memory.
    pub fn tenants_in_memory(&self, tenants: usize) {
        let gauge = &self.0.tenants_in_memory;
        gauge.set(i64::try_from(tenants).unwrap_or(i64::MAX));
    }

    /// So many users' preferences are in memory, and take about so many bytes.
    pub fn known_users(&self, users: usize, bytes: usize) {
        let set = |gauge: &Gauge, value| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        set(&self.0.known_users, users);
        set(&self.0.known_users_memory, bytes);
    }

    /// The whole of it as [`CONTENT_TYPE`].
    pub fn encode(&self) -> String {
        let dropped = u64::try_from(dropped_lines()).unwrap_or(u64::MAX);
        self.0
            .log_lines_dropped
            .inner()
            .store(dropped, Ordering::Relaxed);
        let mut page = String::new();
        if let Err(error) = text::encode(&mut page, &self.0.registry) {
            tracing::error!(%error, "metrics cannot be written");
        }
        page
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Inner {
    /// The library adds `_total` to counters and the unit to the others.
    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program that answers", build);
        registry.register(
            "http_requests",
            "Requests answered, by route and class of status",
            self.http_requests.clone(),
        );
        registry.register("mint", "Mints ended, by outcome", self.mints.clone());
        registry.register("test_call", "Test calls, by outcome", self.tests.clone());
        registry.register(
            "mint_contexts",
            "Contexts of mints, by how they were found; default_instead and nothing are contexts that do not exist",
            self.mint_contexts.clone(),
        );
        registry.register_with_unit(
            "mint_duration",
            "Time of a mint, by stage",
            Unit::Seconds,
            self.mint_duration.clone(),
        );
        registry.register(
            "auth_refusals",
            "Tokens refused, by reason",
            self.auth_refusals.clone(),
        );
        registry.register(
            "origin_refusals",
            "Origins of pages refused, by what named them",
            self.origin_refusals.clone(),
        );
        registry.register(
            "jwks_fetch",
            "Fetches of issuers' key sets, by result",
            self.jwks_fetches.clone(),
        );
        registry.register(
            "introspections",
            "Questions to issuers about opaque tokens, by result",
            self.introspections.clone(),
        );
        registry.register(
            "sign_ins",
            "Tries to sign in to administer, by result",
            self.sign_ins.clone(),
        );
        registry.register(
            "mails",
            "Letters to people who administer, by result; retried counts tries that are made again",
            self.mails.clone(),
        );
        registry.register(
            "anam_requests",
            "Tries at Anam, by result",
            self.anam_requests.clone(),
        );
        registry.register(
            "limit_refusals",
            "Requests refused by a limit",
            self.limit_refusals.clone(),
        );
        registry.register(
            "ledger_writes",
            "Batches written to the ledger, by result",
            self.ledger_writes.clone(),
        );
        registry.register_with_unit(
            "ledger_write_duration",
            "Time of a batch, commit included",
            Unit::Seconds,
            self.ledger_write_duration.clone(),
        );
        registry.register(
            "ledger_batch_rows",
            "Rows in a batch",
            self.ledger_batch.clone(),
        );
        registry.register(
            "ledger_queue_rows",
            "Rows that wait to be written",
            self.ledger_queue.clone(),
        );
        registry.register(
            "ledger_spooled_rows",
            "Rows that went to the spool, since the database did not take them",
            self.ledger_spooled.clone(),
        );
        registry.register_with_unit(
            "ledger_ready_until_timestamp",
            "Until when the ledger's months are made; `migrate` makes more",
            Unit::Seconds,
            self.ledger_ready_until.clone(),
        );
        registry.register(
            "snapshot_loads",
            "Snapshots of tenants built, by result",
            self.snapshot_loads.clone(),
        );
        self.with_states()
    }

    /// What is so at a moment.
    fn with_states(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register(
            "issuer_keys",
            "Issuers whose keys are fetched, by what there is of them; failing: old ones serve for a while; missing: tokens can't be judged",
            self.issuer_keys.clone(),
        );
        registry.register(
            "master_keys_to_reseal",
            "Master keys beside the first with which secrets may still be sealed; `master-key reseal` seals these again",
            self.master_keys_to_reseal.clone(),
        );
        registry.register(
            "anam_breakers_open",
            "Tenants' Anam keys with which Anam is not asked for a while, since it failed too often",
            self.anam_breakers_open.clone(),
        );
        registry.register(
            "requests_in_progress",
            "Users' requests in progress, beside those that wait for their turn",
            self.in_progress.clone(),
        );
        registry.register(
            "requests_waiting",
            "Users' requests that wait for their turn",
            self.waiting.clone(),
        );
        registry.register(
            "requests_in_progress_limit",
            "How many users' requests may be in progress now; it follows how long they take, unless limits.mints_in_progress fixes it",
            self.in_progress_limit.clone(),
        );
        registry.register(
            "tenants_in_memory",
            "Tenants whose snapshots are in memory",
            self.tenants_in_memory.clone(),
        );
        registry.register(
            "known_users",
            "Users whose preferences are in memory",
            self.known_users.clone(),
        );
        registry.register_with_unit(
            "known_users_memory",
            "What they take there, about",
            Unit::Bytes,
            self.known_users_memory.clone(),
        );
        registry.register(
            "log_lines_dropped",
            "Lines that are not in the log, since nobody read it fast enough",
            self.log_lines_dropped.clone(),
        );
        self
    }
}

fn status_class(status: u16) -> &'static str {
    match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_shown_under_its_name_and_labels() {
        let metrics = Metrics::new();
        let clone = metrics.clone();
        clone.http_request("/v1/session-token", 200);
        clone.http_request("/v1/session-token", 204);
        clone.http_request("/v1/session-token", 503);
        clone.mint("issued");
        clone.mint_context(ContextFound::Unknown, true);
        clone.mint_stage(Stage::Decide, Duration::from_micros(80));
        clone.auth_refusal("expired");
        clone.origin_refusal(OriginCheck::Preflight);
        clone.jwks_fetch("ok");
        clone.introspection("refused");
        clone.sign_in("wrong");
        clone.anam_request("timeout");
        clone.limit_refusal(Limit::User);
        clone.turns(5, 2, 32);
        clone.ledger_write(3, Duration::from_millis(2), Outcome::Ok);
        clone.ledger_queue(7);
        clone.ledger_ready_until(1_859_673_600);
        clone.snapshot_load(Outcome::Failed);
        let page = metrics.encode();
        let lines: Vec<_> = page.lines().collect();
        let version = format!(
            "gateway_build_info{{version=\"{}\"}} 1",
            env!("CARGO_PKG_VERSION")
        );
        for line in [
            version.as_str(),
            r#"gateway_http_requests_total{route="/v1/session-token",class="2xx"} 2"#,
            r#"gateway_http_requests_total{route="/v1/session-token",class="5xx"} 1"#,
            r#"gateway_mint_total{outcome="issued"} 1"#,
            r#"gateway_mint_contexts_total{found="default_instead"} 1"#,
            r#"gateway_mint_duration_seconds_count{stage="decide"} 1"#,
            r#"gateway_mint_duration_seconds_bucket{le="0.0001",stage="decide"} 1"#,
            r#"gateway_auth_refusals_total{reason="expired"} 1"#,
            r#"gateway_origin_refusals_total{asked="preflight"} 1"#,
            r#"gateway_jwks_fetch_total{result="ok"} 1"#,
            r#"gateway_introspections_total{result="refused"} 1"#,
            r#"gateway_sign_ins_total{result="wrong"} 1"#,
            r#"gateway_anam_requests_total{result="timeout"} 1"#,
            r#"gateway_limit_refusals_total{limit="user"} 1"#,
            "gateway_requests_in_progress 5",
            "gateway_requests_waiting 2",
            "gateway_requests_in_progress_limit 32",
            r#"gateway_ledger_writes_total{result="ok"} 1"#,
            "gateway_ledger_write_duration_seconds_count 1",
            "gateway_ledger_batch_rows_sum 3.0",
            "gateway_ledger_queue_rows 7",
            "gateway_ledger_ready_until_timestamp_seconds 1859673600",
            r#"gateway_snapshot_loads_total{result="failed"} 1"#,
            "# EOF",
        ] {
            assert!(lines.contains(&line), "{line} is not in\n{page}");
        }
    }

    #[test]
    fn two_apps_count_apart() {
        let one = Metrics::new();
        one.mint("issued");
        assert!(!Metrics::new().encode().contains("issued"));
    }
}
