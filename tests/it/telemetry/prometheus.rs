//! The shipped configuration of Prometheus with a real one and real gateways.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::harness::prometheus::{ALERTS, Prometheus, promtool, quick_config};
use crate::harness::spawn;
use crate::harness::wait::until;

const PATIENCE: Duration = Duration::from_secs(30);

/// The names of the alerts that are shipped.
pub(super) fn alerts() -> BTreeSet<String> {
    let alerts = std::fs::read_to_string(ALERTS).unwrap();
    let names = alerts
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("- alert: "));
    names.map(str::to_owned).collect()
}

#[test]
fn promtool_is_content_with_the_alerts_and_the_example() {
    let said = promtool(&["check", "rules", ALERTS]);
    assert!(
        said.contains(&format!("{} rules found", alerts().len())),
        "{said}"
    );
    promtool(&["check", "config", "deploy/prometheus/prometheus.yml"]);
    // Their times and thresholds, which `alerts.rs` makes short.
    promtool(&["test", "rules", "deploy/prometheus/alerts_test.yml"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_at_peace_is_scraped_and_no_alert_fires() {
    let app = spawn().await;
    let target = app.app.ops_address.to_string();
    let shipped = std::fs::read_to_string(ALERTS).unwrap();
    let prometheus =
        Prometheus::start(&quick_config(std::slice::from_ref(&target)), &shipped).await;
    let scraped = until("it is scraped twice", PATIENCE, || async {
        let query = "count_over_time(up{job=\"persona-gateway\"}[1m])";
        let found = prometheus.query(query).await.first()?.clone();
        let times: u32 = found["value"][1].as_str()?.parse().ok()?;
        (times >= 2).then_some(found)
    })
    .await;
    assert_eq!(scraped["metric"]["instance"], target.as_str());
    let targets = prometheus.ask("targets").await;
    let targets = targets["activeTargets"].as_array().unwrap();
    assert_eq!(targets.len(), 1, "{targets:?}");
    assert_eq!(targets[0]["health"], "up", "{targets:?}");
    let loaded = until("all rules are evaluated", PATIENCE, || async {
        let rules = prometheus.ask("rules").await;
        let groups = rules["groups"].as_array().unwrap().clone();
        let rules: Vec<_> = groups
            .iter()
            .flat_map(|group| group["rules"].as_array().unwrap().clone())
            .collect();
        rules
            .iter()
            .all(|rule| rule["health"] == "ok")
            .then_some(rules)
    })
    .await;
    assert_eq!(loaded.len(), alerts().len());
    for rule in loaded {
        // Catalogues are first looked at within a minute, so that task may be `pending`.
        assert_ne!(rule["state"], "firing", "{rule}");
    }
    let mut with_answer = 0;
    for expression in expressions_of_the_dashboard(&target) {
        // An expression that can't be read is an error there.
        let found = prometheus.query(&expression).await;
        with_answer += usize::from(!found.is_empty());
    }
    assert!(with_answer > 25, "{with_answer}");
    app.stop().await;
}

/// What the dashboard asks for, of one instance.
fn expressions_of_the_dashboard(instance: &str) -> Vec<String> {
    let dashboard = std::fs::read_to_string("deploy/grafana/persona-gateway.json").unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array());
    targets
        .flatten()
        .map(|target| {
            let expression = target["expr"].as_str().unwrap();
            expression
                .replace("$__rate_interval", "1m")
                .replace("$job", "persona-gateway")
                .replace("$instance", instance)
        })
        .collect()
}
