//! File descriptors: how many connections the public listener may hold, so that some are left for everything else. A process without any
//! can't even say that it is healthy.

/// For the operations listener, issuers, name resolution and files.
const RESERVE: u64 = 64;
/// For connections to Anam at most; a request holds one, beside its client's.
const ANAM: u64 = 4_096;
/// Connections of one thread at most, as actix-web has it.
const OF_WORKER: u64 = 25_600;
/// Below so many connections, it is worth a word in the log.
const FEW: u64 = 1_000;

/// Connections that each of the public listener's threads may hold. `others` are the database's.
pub(super) fn connections_of_worker(workers: usize, others: u64) -> usize {
    let limit = raised_limit();
    let all = limit.map_or(u64::MAX, |limit| share(limit, others));
    if let Some(limit) = limit.filter(|_| all < FEW) {
        tracing::warn!(
            open_files = limit,
            connections = all,
            "the limit of open files is low (`ulimit -n`): further clients wait until a connection ends"
        );
    }
    let workers = u64::try_from(workers).unwrap_or(u64::MAX);
    let each = (all / workers.max(1)).clamp(1, OF_WORKER);
    usize::try_from(each).unwrap_or(usize::MAX)
}

/// What clients may have of so many descriptors.
fn share(limit: u64, others: u64) -> u64 {
    let free = limit.saturating_sub(RESERVE.saturating_add(others));
    free - (free / 2).min(ANAM)
}

/// Raises the limit of this process as far as it may; `None` where there is none.
#[cfg(target_os = "linux")]
fn raised_limit() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let highest = Rlimit {
        current: maximum,
        maximum,
    };
    match setrlimit(Resource::Nofile, highest) {
        Ok(()) => maximum,
        Err(_not_allowed) => current,
    }
}

#[cfg(not(target_os = "linux"))]
fn raised_limit() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_have_what_the_rest_of_the_process_does_not_need() {
        assert_eq!(share(1_048_576, 25), 1_048_576 - 64 - 25 - 4_096);
        assert_eq!(share(1_024, 25), 468);
        assert_eq!(share(50, 25), 0);
    }
}
