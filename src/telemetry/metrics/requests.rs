//! Requests: how they end, how long they take, what refuses them, and what waits.

use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Unit;

use super::Metrics;
use super::labels::{ByInterface, ByLimit, Interface, Limit, RouteAndClass};
use super::register::{Counters, Register, Timings, set, timings};

#[derive(Debug)]
pub(super) struct Requests {
    answered: Counters<RouteAndClass>,
    duration: Timings<ByInterface>,
    limit_refusals: Counters<ByLimit>,
    in_progress: Gauge,
    waiting: Gauge,
    per_second_limit: Gauge,
    work_in_progress: Gauge,
    work_waiting: Gauge,
    work_threads: Gauge,
}

impl Requests {
    pub(super) fn register(to: &mut Register<'_>) -> Self {
        Self {
            answered: to.add(
                "http_requests",
                "Requests answered, by route and class of status",
                Counters::default(),
            ),
            duration: to.add_in(
                Unit::Seconds,
                "http_request_duration",
                "Time of a request, from its headers to those of its answer, by interface: user, admin, operator, console, other",
                timings(),
            ),
            limit_refusals: to.add(
                "limit_refusals",
                "Requests refused by a limit",
                Counters::default(),
            ),
            in_progress: to.add(
                "requests_in_progress",
                "Users' requests in progress, and those of no tenant whose turn has come",
                Gauge::default(),
            ),
            waiting: to.add(
                "requests_waiting",
                "Requests of users, and of no tenant, that wait for their turn",
                Gauge::default(),
            ),
            per_second_limit: to.add(
                "requests_per_second_limit",
                "How many requests a second begin of tenants that flood, while requests take long and another tenant asks for far less; 0 where as many begin as come",
                Gauge::default(),
            ),
            work_in_progress: to.add(
                "work_in_progress",
                "Admins' requests that occupy a work thread",
                Gauge::default(),
            ),
            work_waiting: to.add(
                "work_waiting",
                "Admins' requests that wait for a work thread",
                Gauge::default(),
            ),
            work_threads: to.add(
                "work_threads",
                "Work threads for admins' requests at most",
                Gauge::default(),
            ),
        }
    }
}

impl Metrics {
    /// A request was answered. `route` is the pattern that matched, such as `/v1/sessions/{id}`.
    pub fn http_request(&self, route: &str, status: u16) {
        let labels = RouteAndClass {
            route: route.to_owned(),
            class: status_class(status),
        };
        self.0.requests.answered.get_or_create(&labels).inc();
    }

    /// How long that took.
    pub fn http_duration(&self, route: &str, took: Duration) {
        let labels = ByInterface {
            interface: Interface::of(route).label(),
        };
        let timings = &self.0.requests.duration;
        timings.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// A limit refused a request.
    pub fn limit_refusal(&self, limit: Limit) {
        let labels = ByLimit {
            limit: limit.label(),
        };
        self.0.requests.limit_refusals.get_or_create(&labels).inc();
    }

    /// So many users' requests are in progress, wait for their turn, and begin in a second at most.
    pub fn turns(&self, in_progress: usize, waiting: usize, per_second: Option<u32>) {
        let requests = &self.0.requests;
        set(&requests.in_progress, in_progress);
        set(&requests.waiting, waiting);
        requests
            .per_second_limit
            .set(i64::from(per_second.unwrap_or(0)));
    }

    /// So many admins' requests occupy a work thread, wait for one, and may occupy one.
    pub fn work(&self, in_progress: usize, waiting: usize, threads: usize) {
        let requests = &self.0.requests;
        set(&requests.work_in_progress, in_progress);
        set(&requests.work_waiting, waiting);
        set(&requests.work_threads, threads);
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
    use super::Interface;

    #[test]
    fn an_interface_is_known_by_its_routes() {
        for (route, interface) in [
            ("/v1/session-token", "user"),
            ("/api/session-token", "user"),
            ("/v1/admin/documents/{kind}", "admin"),
            ("/v1/operator/tenants", "operator"),
            ("/console/people", "console"),
            ("none", "other"),
            ("/docs", "other"),
        ] {
            assert_eq!(Interface::of(route).label(), interface, "{route}");
        }
    }
}
