//! The process itself, under the names that every exporter uses: read when it is scraped, from `/proc`. Elsewhere than on Linux there are none.

use std::fmt::Error;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeMetric,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::register::Register;

const CPU: (&str, &str) = (
    "process_cpu",
    "Processor time that the process took, its own and the kernel's for it",
);
const START: (&str, &str) = (
    "process_start_time",
    "When the process started, in seconds since 1970",
);
const RESIDENT: (&str, &str) = (
    "process_resident_memory",
    "Memory that the process occupies",
);
const VIRTUAL: (&str, &str) = (
    "process_virtual_memory",
    "Addresses that the process has reserved",
);
const OPEN: (&str, &str) = ("process_open_fds", "Open files and sockets");
const MOST: (&str, &str) = (
    "process_max_fds",
    "Open files and sockets that the process may have",
);
const THREADS: (&str, &str) = ("process_threads", "Threads");

/// What a process is at a moment.
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "only Linux says so")
)]
#[derive(Debug, Clone, Copy, PartialEq)]
struct ProcessNow {
    cpu_seconds: f64,
    started: f64,
    resident: i64,
    reserved: i64,
    open_files: i64,
    max_files: Option<i64>,
    threads: i64,
}

/// Reads [`ProcessNow`] at each scrape.
#[derive(Debug)]
pub(super) struct Process;

impl Process {
    pub(super) fn register(to: &mut Register<'_>) {
        to.describe(CPU.0, CPU.1, Some(&Unit::Seconds), MetricType::Counter);
        to.describe(START.0, START.1, Some(&Unit::Seconds), MetricType::Gauge);
        for memory in [RESIDENT, VIRTUAL] {
            to.describe(memory.0, memory.1, Some(&Unit::Bytes), MetricType::Gauge);
        }
        for number in [OPEN, MOST, THREADS] {
            to.describe(number.0, number.1, None, MetricType::Gauge);
        }
        to.collect(Self);
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let Some(now) = now() else {
            return Ok(());
        };
        let to = &mut encoder;
        counter(to, CPU, Some(&Unit::Seconds), now.cpu_seconds)?;
        gauge(to, START, Some(&Unit::Seconds), now.started)?;
        gauge(to, RESIDENT, Some(&Unit::Bytes), now.resident)?;
        gauge(to, VIRTUAL, Some(&Unit::Bytes), now.reserved)?;
        gauge(to, OPEN, None, now.open_files)?;
        if let Some(most) = now.max_files {
            gauge(to, MOST, None, most)?;
        }
        gauge(to, THREADS, None, now.threads)
    }
}

pub(super) fn gauge<T>(
    to: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    unit: Option<&Unit>,
    value: T,
) -> Result<(), Error>
where
    ConstGauge<T>: EncodeMetric,
    T: EncodeGaugeValue,
{
    let gauge = ConstGauge::new(value);
    gauge.encode(to.encode_descriptor(name, &format!("{help}."), unit, MetricType::Gauge)?)
}

fn counter<T>(
    to: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    unit: Option<&Unit>,
    value: T,
) -> Result<(), Error>
where
    ConstCounter<T>: EncodeMetric,
    T: EncodeCounterValue,
{
    let counter = ConstCounter::new(value);
    counter.encode(to.encode_descriptor(name, &format!("{help}."), unit, MetricType::Counter)?)
}

#[cfg(target_os = "linux")]
fn now() -> Option<ProcessNow> {
    linux::now()
}

#[cfg(not(target_os = "linux"))]
fn now() -> Option<ProcessNow> {
    None
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::{read_dir, read_to_string};

    use rustix::param::{clock_ticks_per_second, page_size};

    use super::ProcessNow;

    pub(super) fn now() -> Option<ProcessNow> {
        let stat = read_to_string("/proc/self/stat").ok()?;
        let machine = read_to_string("/proc/stat").ok()?;
        let limits = read_to_string("/proc/self/limits").ok()?;
        // One of them is the folder that is being read.
        let open = read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
        let units = (clock_ticks_per_second(), page_size());
        parse(&stat, &machine, &limits, open, units)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "ticks and seconds are far below 2^52"
    )]
    pub(super) fn parse(
        stat: &str,
        machine: &str,
        limits: &str,
        open: usize,
        (ticks, page): (u64, usize),
    ) -> Option<ProcessNow> {
        // The name stands in parentheses, and may have some itself. Then come the fields from the third on.
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let field = |number: usize| fields.get(number.checked_sub(3)?)?.parse::<u64>().ok();
        let seconds = |ticked: u64| ticked as f64 / ticks as f64;
        let booted = machine
            .lines()
            .find_map(|line| line.strip_prefix("btime "))?;
        let booted: u64 = booted.trim().parse().ok()?;
        let resident = field(24)?.checked_mul(u64::try_from(page).ok()?)?;
        let most = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"))?;
        Some(ProcessNow {
            cpu_seconds: seconds(field(14)?.checked_add(field(15)?)?),
            started: booted as f64 + seconds(field(22)?),
            resident: i64::try_from(resident).ok()?,
            reserved: i64::try_from(field(23)?).ok()?,
            open_files: i64::try_from(open).ok()?,
            // Or `unlimited`.
            max_files: most.split_whitespace().next()?.parse().ok(),
            threads: i64::try_from(field(20)?).ok()?,
        })
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let stat =
            "42 (a ) name (x) S 1 2 3 4 5 6 7 8 9 10 250 150 13 14 15 16 9 18 1000 8192 3 21";
        let machine = "cpu 1 2\nbtime 1700000000\nprocesses 5\n";
        let limits =
            "Limit   Soft Limit   Hard Limit   Units\nMax open files   1024   4096   files\n";
        let now = linux::parse(stat, machine, limits, 7, (100, 4096));
        let expected = ProcessNow {
            cpu_seconds: 4.0,
            started: 1_700_000_010.0,
            resident: 3 * 4096,
            reserved: 8192,
            open_files: 7,
            max_files: Some(1024),
            threads: 9,
        };
        assert_eq!(now, Some(expected));
    }

    #[test]
    fn this_process_is_there() {
        let now = now().unwrap();
        assert!(now.resident > 1_000_000 && now.resident < now.reserved);
        assert!(now.open_files >= 3 && now.threads >= 1);
        assert!(now.started > 1_500_000_000.0);
    }
}
