//! What processes cost, by the operating system's own accounts in /proc.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// Linux counts processor time for programs in hundredths of a second on every architecture that we know.
const TICK: Duration = Duration::from_millis(10);

/// Who is whose child, at one moment.
#[derive(Debug)]
pub(crate) struct Processes {
    /// (name, parent) by process id.
    found: BTreeMap<u32, (String, u32)>,
}

impl Processes {
    pub(crate) fn now() -> anyhow::Result<Self> {
        let entries = fs::read_dir("/proc")
            .context("processor time and memory are read from /proc, which only Linux has")?;
        let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let found = ids.filter_map(|id: u32| {
            let stat = Stat::read(id)?;
            Some((id, (stat.name, stat.parent)))
        });
        Ok(Self {
            found: found.collect(),
        })
    }

    /// A process with all below it.
    pub(crate) fn tree(&self, root: u32) -> Vec<u32> {
        let mut tree = vec![root];
        let mut next = 0;
        while let Some(parent) = tree.get(next).copied() {
            next += 1;
            let children = self.found.iter().filter(|(_, (_, of))| *of == parent);
            tree.extend(children.map(|(id, _)| *id));
        }
        tree
    }

    /// The process of this name that started the others of this name, below `root`.
    pub(crate) fn first_named(&self, name: &str, root: u32) -> Option<u32> {
        let is_named = |id: &u32| self.found.get(id).is_some_and(|(own, _)| own == name);
        let mut tree = self.tree(root).into_iter();
        tree.find(is_named)
    }
}

/// What is used here of `/proc/ID/stat`.
pub(crate) struct Stat {
    pub(crate) name: String,
    pub(crate) parent: u32,
    /// Of the process, and of its children that ended.
    pub(crate) cpu: Duration,
}

impl Stat {
    fn read(id: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
    }

    pub(crate) fn parse(line: &str) -> Option<Self> {
        // A name may have spaces and parentheses.
        let (start, rest) = line.rsplit_once(')')?;
        let (_, name) = start.split_once('(')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let mut ticks = 0;
        for field in fields.get(11..15)? {
            ticks += field.parse::<u32>().ok()?;
        }
        Some(Self {
            name: name.to_owned(),
            parent: fields.get(1)?.parse().ok()?,
            cpu: TICK * ticks,
        })
    }
}

/// Processor time that some processes have had so far.
#[derive(Debug)]
pub(crate) struct Cpu {
    /// Of each thread that runs, exactly.
    threads: BTreeMap<u32, Duration>,
    /// Of all, also of threads and children that have ended, to a tick.
    coarse: Duration,
}

impl Cpu {
    pub(crate) fn of(processes: &[u32]) -> Self {
        let mut threads = BTreeMap::new();
        let mut coarse = Duration::ZERO;
        for id in processes {
            // One that has ended meanwhile cost its parent what it cost.
            let Some(stat) = Stat::read(*id) else {
                continue;
            };
            coarse += stat.cpu;
            let Ok(tasks) = fs::read_dir(format!("/proc/{id}/task")) else {
                continue;
            };
            for task in tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok()) {
                if let Some(spent) = thread_time(&format!("/proc/{id}/task/{task}/schedstat")) {
                    threads.insert(task, spent);
                }
            }
        }
        Self { threads, coarse }
    }

    /// What was spent since then.
    pub(crate) fn since(&self, before: &Self) -> Duration {
        let spent = |(thread, now): (&u32, &Duration)| {
            let before = before.threads.get(thread).copied().unwrap_or_default();
            now.saturating_sub(before)
        };
        let fine: Duration = self.threads.iter().map(spent).sum();
        let coarse = self.coarse.saturating_sub(before.coarse);
        // What has ended meanwhile is missing from the exact sum.
        let is_missing_some = coarse > fine + fine / 20 + 10 * TICK;
        if is_missing_some { coarse } else { fine }
    }
}

/// Processor time of the thread that asks.
pub(crate) fn own_thread() -> anyhow::Result<Duration> {
    thread_time("/proc/thread-self/schedstat").context("/proc/thread-self/schedstat can't be read")
}

fn thread_time(schedstat: &str) -> Option<Duration> {
    let text = fs::read_to_string(schedstat).ok()?;
    let nanoseconds = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

/// How long the machine's processors were busy so far, all added up.
pub(crate) fn machine() -> anyhow::Result<Duration> {
    let stat = fs::read_to_string("/proc/stat")?;
    busy(&stat).context("/proc/stat is odd")
}

pub(crate) fn busy(stat: &str) -> Option<Duration> {
    let fields = stat
        .lines()
        .next()?
        .strip_prefix("cpu ")?
        .split_whitespace();
    let fields: Vec<u32> = fields
        .take(8)
        .map_while(|field| field.parse().ok())
        .collect();
    let [
        user,
        nice,
        system,
        _idle,
        _waiting,
        interrupts,
        soft,
        stolen,
    ] = fields.as_slice()
    else {
        return None;
    };
    Some(TICK * (user + nice + system + interrupts + soft + stolen))
}

/// Memory of some processes, in MiB: resident now, and the sum of what each had at most.
pub(crate) fn memory(processes: &[u32]) -> (f64, f64) {
    let mut sums = (0.0, 0.0);
    for id in processes {
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        sums.0 += mib(&status, "VmRSS:").unwrap_or_default();
        sums.1 += mib(&status, "VmHWM:").unwrap_or_default();
    }
    sums
}

fn mib(status: &str, name: &str) -> Option<f64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: f64 = value.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}
