//! Each metric is described once: where it is made.

use prometheus_client::collector::Collector;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry, Unit};

/// From a cached decision (tens of microseconds) to Anam's deadline.
const SECONDS: [f64; 16] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 10.0,
];

pub(super) type Counters<S> = Family<S, Counter>;
pub(super) type Gauges<S> = Family<S, Gauge>;
pub(super) type Timings<S> = Family<S, Histogram, fn() -> Histogram>;

/// A metric as the documentation lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// As it is scraped; of a histogram, without `_bucket`, `_sum` or `_count`.
    pub name: String,
    /// `counter`, `gauge`, `histogram` or `info`.
    pub kind: &'static str,
    pub help: String,
}

/// Where metrics are registered, all with the same prefix.
pub(super) struct Register<'r> {
    prefix: &'static str,
    registry: &'r mut Registry,
    described: &'r mut Vec<Described>,
}

impl<'r> Register<'r> {
    /// `prefix` without the underscore; it may be empty.
    pub(super) fn new(
        prefix: &'static str,
        root: &'r mut Registry,
        described: &'r mut Vec<Described>,
    ) -> Self {
        let registry = if prefix.is_empty() {
            root
        } else {
            root.sub_registry_with_prefix(prefix)
        };
        Self {
            prefix,
            registry,
            described,
        }
    }

    /// Notes what a metric is named when it is scraped.
    pub(super) fn describe(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        kind: MetricType,
    ) {
        let (kind, ending) = match kind {
            MetricType::Counter => ("counter", "_total"),
            MetricType::Histogram => ("histogram", ""),
            MetricType::Info => ("info", "_info"),
            _ => ("gauge", ""),
        };
        let unit = unit.map_or_else(String::new, |unit| format!("_{}", unit.as_str()));
        let prefix = if self.prefix.is_empty() { "" } else { "_" };
        self.described.push(Described {
            name: format!("{}{prefix}{name}{unit}{ending}", self.prefix),
            kind,
            help: help.to_owned(),
        });
    }

    /// The library adds `_total` to counters.
    pub(super) fn add<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.add_constant(name, help, metric.clone());
        metric
    }

    /// What nobody changes.
    pub(super) fn add_constant(&mut self, name: &str, help: &str, metric: impl Metric) {
        self.describe(name, help, None, metric.metric_type());
        self.registry.register(name, help, metric);
    }

    /// The library adds the unit.
    pub(super) fn add_in<M: Metric + Clone>(
        &mut self,
        unit: Unit,
        name: &str,
        help: &str,
        metric: M,
    ) -> M {
        self.describe(name, help, Some(&unit), metric.metric_type());
        self.registry
            .register_with_unit(name, help, unit, metric.clone());
        metric
    }

    /// What is read when it is scraped. Its metrics are [described](Self::describe) apart.
    pub(super) fn collect(&mut self, collector: impl Collector) {
        self.registry.register_collector(Box::new(collector));
    }
}

pub(super) fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

/// Durations by some labels.
pub(super) fn timings<S: Clone + std::hash::Hash + Eq>() -> Timings<S> {
    Family::new_with_constructor(seconds as fn() -> Histogram)
}

/// Sets a gauge to a number of things.
pub(super) fn set(gauge: &Gauge, value: usize) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}
