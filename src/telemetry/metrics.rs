//! Metrics for Prometheus. One value per app rather than a global, so that tests can look at it.
//!
//! Labels are fixed words, never a user or a path as it was sent; tenants are named up to a set number (`metrics/tenants.rs`). A file has the
//! metrics of an area, each described once, and how they are counted.

mod callers;
mod database;
mod labels;
mod ledger;
mod mints;
mod process;
mod register;
mod requests;
mod sharing;
mod tenants;
mod upkeep;

use std::sync::Arc;

use prometheus_client::encoding::text;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub use self::database::PoolNow;
pub use self::labels::{Limit, OriginCheck, Outcome, Stage, Task};
pub use self::ledger::SpoolNow;
pub use self::register::Described;

use self::callers::Callers;
use self::database::Pools;
use self::ledger::LedgerMetrics;
use self::mints::Mints;
use self::process::Process;
use self::register::Register;
use self::requests::Requests;
use self::sharing::RedisState;
use self::tenants::TenantCounts;
use self::upkeep::Upkeep;

/// What [`Metrics::encode`] writes: `OpenMetrics` 1.0.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything that is counted. Cheap to clone; clones count together.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    described: Vec<Described>,
    requests: Requests,
    mints: Mints,
    tenants: TenantCounts,
    callers: Callers,
    ledger: LedgerMetrics,
    pools: Pools,
    upkeep: Upkeep,
    redis: RedisState,
}

impl Metrics {
    /// Names no tenant.
    pub fn new() -> Self {
        Self::naming(0)
    }

    /// Names so many tenants at most.
    pub fn naming(tenants: usize) -> Self {
        let (mut registry, mut described) = (Registry::default(), Vec::new());
        let to = &mut Register::new("gateway", &mut registry, &mut described);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        to.add_constant("build", "The program that answers", build);
        let requests = Requests::register(to);
        let mints = Mints::register(to);
        let tenants = TenantCounts::register(to, tenants);
        let callers = Callers::register(to);
        let ledger = LedgerMetrics::register(to);
        let pools = Pools::register(to);
        let upkeep = Upkeep::register(to);
        let redis = RedisState::register(to);
        Process::register(&mut Register::new("", &mut registry, &mut described));
        Self(Arc::new(Inner {
            registry,
            described,
            requests,
            mints,
            tenants,
            callers,
            ledger,
            pools,
            upkeep,
            redis,
        }))
    }

    /// All metrics that there are, also those that nothing was counted of yet.
    pub fn described(&self) -> &[Described] {
        &self.0.described
    }

    /// The whole of it as [`CONTENT_TYPE`].
    pub fn encode(&self) -> String {
        self.0.upkeep.count_dropped_lines();
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::domain::ids::TenantId;
    use crate::domain::trace::ContextFound;

    #[test]
    fn what_is_counted_is_shown_under_its_name_and_labels() {
        let metrics = Metrics::naming(1);
        let clone = metrics.clone();
        clone.http_request("/v1/session-token", 200);
        clone.http_request("/v1/session-token", 204);
        clone.http_request("/v1/session-token", 503);
        clone.mint("issued", Some(TenantId(Uuid::nil())));
        clone.mint("rate_limited", Some(TenantId(Uuid::max())));
        clone.mint_context(ContextFound::Unknown, true);
        clone.mint_stage(Stage::Decide, Duration::from_micros(80));
        clone.auth_refusal("expired");
        clone.origin_refusal(OriginCheck::Preflight);
        clone.jwks_fetch("ok");
        clone.introspection("refused");
        clone.sign_in("wrong");
        clone.anam_request("timeout");
        clone.limit_refusal(Limit::User);
        clone.turns(5, 2, Some(320));
        clone.ledger_write(3, Duration::from_millis(2), Outcome::Ok);
        clone.ledger_queue(7);
        clone.ledger_ready_until(1_859_673_600);
        clone.snapshot_load(Outcome::Failed);
        clone.http_duration("/v1/admin/people", Duration::from_millis(3));
        clone.issuer_keys("failing", 2, Duration::from_secs(90));
        clone.succeeded(
            Task::Sweep,
            chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(5),
        );
        clone.ready(true);
        clone.ledger_spool(SpoolNow {
            files: 1,
            bytes: 40,
            limit: 50,
            oldest: 9,
        });
        clone.pool(PoolNow {
            name: "mints",
            limit: 6,
            in_use: 2,
            idle: 1,
            waiting: 3,
            timed_out: 4,
            lost: 5,
        });
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
            r#"gateway_tenant_mints_total{tenant="00000000-0000-0000-0000-000000000000",outcome="issued"} 1"#,
            r#"gateway_tenant_mints_total{tenant="other",outcome="refused"} 1"#,
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
            "gateway_requests_per_second_limit 320",
            r#"gateway_ledger_writes_total{result="ok"} 1"#,
            "gateway_ledger_write_duration_seconds_count 1",
            "gateway_ledger_batch_rows_sum 3.0",
            "gateway_ledger_queue_rows 7",
            "gateway_ledger_ready_until_timestamp_seconds 1859673600",
            r#"gateway_snapshot_loads_total{result="failed"} 1"#,
            r#"gateway_snapshot_loads_total{result="ok"} 0"#,
            r#"gateway_http_request_duration_seconds_count{interface="admin"} 1"#,
            r#"gateway_issuer_keys{state="failing"} 2"#,
            r#"gateway_issuer_keys_oldest_seconds{state="failing"} 90"#,
            r#"gateway_task_succeeded_timestamp_seconds{task="sweep"} 5"#,
            r#"gateway_task_succeeded_timestamp_seconds{task="refresh"} 0"#,
            "gateway_ledger_spool_files 1",
            "gateway_ledger_spool_bytes 40",
            "gateway_ledger_spool_limit_bytes 50",
            "gateway_ready 1",
            "gateway_ledger_spool_oldest_timestamp_seconds 9",
            r#"gateway_database_connections{pool="mints",state="in_use"} 2"#,
            r#"gateway_database_connections{pool="mints",state="idle"} 1"#,
            r#"gateway_database_connections_limit{pool="mints"} 6"#,
            r#"gateway_database_waiting{pool="mints"} 3"#,
            r#"gateway_database_timeouts_total{pool="mints"} 4"#,
            r#"gateway_database_connections_lost_total{pool="mints"} 5"#,
            "# EOF",
        ] {
            assert!(lines.contains(&line), "{line} is not in\n{page}");
        }
    }

    #[test]
    fn every_metric_that_is_scraped_is_described() {
        let metrics = Metrics::naming(1);
        metrics.mint("issued", None);
        let page = metrics.encode();
        let described = metrics.described();
        let scraped: Vec<_> = page
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
            .collect();
        assert!(scraped.len() > 20, "{page}");
        for (name, kind) in scraped {
            let ending = match kind {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            let name = format!("{name}{ending}");
            assert!(
                described
                    .iter()
                    .any(|known| known.name == name && known.kind == kind),
                "{name}"
            );
        }
    }

    #[test]
    fn two_apps_count_apart() {
        let one = Metrics::new();
        one.mint("issued", None);
        assert!(!Metrics::new().encode().contains("issued"));
    }
}
