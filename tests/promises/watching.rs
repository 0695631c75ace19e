//! docs/OPERATIONS.md and what `deploy/` has to watch with: metrics and alerts are the same everywhere.

use std::collections::BTreeSet;

use persona_gateway::telemetry::metrics::Metrics;
use serde_json::Value;

use super::sentences::{file, hold};

const ALERTS: &str = "deploy/prometheus/alerts.yml";
const DASHBOARD: &str = "deploy/grafana/persona-gateway.json";

#[test]
fn the_table_of_metrics_is_what_the_program_has() {
    let metrics = Metrics::new();
    let rows = metrics.described().iter().map(|metric| {
        let help = metric.help.replace('|', "\\|");
        format!("| `{}` | {} | {help} |\n", metric.name, metric.kind)
    });
    let table: String = rows.collect();
    let page = file("docs/OPERATIONS.md");
    let head = "| metric | kind | meaning |\n| --- | --- | --- |\n";
    let (_, kept) = page.split_once(head).unwrap();
    let kept = kept.split("\n\n").next().unwrap().trim_end();
    assert!(
        kept == table.trim_end(),
        "the table of metrics in docs/OPERATIONS.md must be\n{head}{table}"
    );
}

#[test]
fn the_page_of_operations_has_the_programs_numbers() {
    hold(
        "docs/OPERATIONS.md",
        &[
            ("of the operations listener (port {})", &["server.ops_port"]),
            ("`metrics.tenants` ({}) at most", &["metrics.tenants"]),
            (
                "every {} minutes at most",
                &["src/telemetry/metrics/tenants.rs PERIOD"],
            ),
            (
                "Spans wait in a queue of {} and",
                &["src/telemetry/traces/export.rs WAITING"],
            ),
        ],
    );
}

/// The alerts' names, with the text of each.
fn alerts(file: &str) -> Vec<(&str, &str)> {
    let parts = file.split("- alert: ").skip(1);
    parts.map(|part| part.split_once('\n').unwrap()).collect()
}

#[test]
fn each_alert_has_its_section_and_each_section_its_alert() {
    let (shipped, page) = (file(ALERTS), file("docs/OPERATIONS.md"));
    let sections: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .collect();
    let alerts = alerts(&shipped);
    let names: BTreeSet<&str> = alerts.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, sections);
    assert_eq!(alerts.len(), names.len(), "a name stands for one alert");
    for (name, alert) in alerts {
        let section = page.split(&format!("### {name}\n")).nth(1).unwrap();
        let section = section.split("\n#").next().unwrap();
        for part in ["\n*Look*: ", "\n*Do*: "] {
            assert!(section.contains(part), "{name} has no {part}");
        }
        let link = format!("runbook: docs/OPERATIONS.md#{}\n", name.to_lowercase());
        assert!(alert.contains(&link), "{name} does not say {link}");
        let severity = ["{ severity: page }", "{ severity: ticket }"];
        assert!(severity.iter().any(|word| alert.contains(word)), "{name}");
    }
}

/// Every name of a metric in a text, without what is added to those of histograms.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names = words.filter(|word| word.starts_with("gateway_") || word.starts_with("process_"));
    let bare = |name: &str| {
        let endings = ["_bucket", "_sum", "_count"];
        let bare = endings.iter().find_map(|end| name.strip_suffix(end));
        bare.unwrap_or(name).to_owned()
    };
    names.map(bare).collect()
}

#[test]
fn alerts_and_the_dashboard_ask_for_metrics_that_there_are() {
    let metrics = Metrics::new();
    let known: BTreeSet<&str> = metrics
        .described()
        .iter()
        .map(|metric| metric.name.as_str())
        .collect();
    for (path, least) in [(ALERTS, 20), (DASHBOARD, 30)] {
        let named = named(&file(path));
        assert!(named.len() >= least, "{path}: {named:?}");
        for name in named {
            assert!(known.contains(name.as_str()), "{path}: {name}");
        }
    }
}

#[test]
fn the_dashboard_is_one_that_can_be_imported() {
    let dashboard: Value = serde_json::from_str(&file(DASHBOARD)).unwrap();
    assert!(
        dashboard["id"].is_null(),
        "an id would be another installation's"
    );
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        if panel["type"] == "row" {
            continue;
        }
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
        let place = &panel["gridPos"];
        let end = place["x"].as_u64().unwrap() + place["w"].as_u64().unwrap();
        assert!(end <= 24, "{panel}");
        assert!(!panel["targets"].as_array().unwrap().is_empty(), "{panel}");
    }
}
