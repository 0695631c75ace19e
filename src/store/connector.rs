//! Reaching a database, and saying in words why that failed and what to do. The password is no part of it.

mod way;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Executor, PgConnection, Row};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use self::way::Way;
use super::StoreError;
use super::silence::silence;
use crate::config::{DatabaseTarget, DatabaseUrl};

/// So often is looked whether connections are handed out by transaction.
const ROUNDS: usize = 3;
/// How long a server may take before the next one is tried beside it: one whose machine is gone says nothing at all.
const HEAD_START: Duration = Duration::from_millis(200);
/// How long another server than the URL's first is tried first, before its order counts again.
const REMEMBERED: Duration = Duration::from_mins(1);

/// Where a database is, and how it is reached. Of several servers it finds the one that takes writes.
#[derive(Clone)]
pub(super) struct Connector {
    url: DatabaseUrl,
    /// In the URL's order; at least one.
    ways: Arc<[Way]>,
    /// Which one was right the last time, which is tried first. Clones share it.
    last: Arc<Mutex<Last>>,
}

/// The server that was found the last time.
struct Last {
    number: usize,
    /// When the servers were last tried in the URL's order.
    since: Instant,
}

/// Why there is no connection, and what to do.
#[derive(Debug)]
pub struct Unreachable {
    text: String,
    may_pass: bool,
    /// The server will be there soon: how long to wait before it is tried again.
    pause: Option<Duration>,
}

impl Connector {
    pub(super) fn new(url: &DatabaseUrl) -> Self {
        let places = url.places().iter();
        Self {
            url: url.clone(),
            ways: places.map(|place| Way::new(url, place)).collect(),
            last: Arc::new(Mutex::new(Last {
                number: 0,
                since: Instant::now(),
            })),
        }
    }

    /// A connection to the right server until `end`, tried again while one is just starting or being promoted.
    pub(super) async fn connect(&self, end: Instant) -> Result<PgConnection, Unreachable> {
        loop {
            let failed = match self.try_all(end).await {
                Ok((_, connection)) => return Ok(connection),
                Err(failed) => failed,
            };
            match failed.pause {
                Some(pause) if Instant::now() + pause < end => sleep(pause).await,
                _ => return Err(failed),
            }
        }
    }

    /// The same within a time, tried once.
    pub(super) async fn connect_within(&self, end: Duration) -> Result<PgConnection, Unreachable> {
        let (_, connection) = self.try_all(Instant::now() + end).await?;
        Ok(connection)
    }

    /// How to reach the right server, for those who connect by themselves.
    pub(super) async fn options(&self, end: Duration) -> Result<&PgConnectOptions, Unreachable> {
        let way = match &*self.ways {
            [only] if self.url.target() == DatabaseTarget::Any => only,
            _ => {
                let (way, connection) = self.try_all(Instant::now() + end).await?;
                drop(connection);
                way
            }
        };
        Ok(way.options())
    }

    /// Tries the servers, first the one of the last time. The next one is tried when one has failed, or has said nothing for a moment.
    async fn try_all(&self, end: Instant) -> Result<(&Way, PgConnection), Unreachable> {
        let first = self.first();
        let others = (0..self.ways.len()).filter(|number| *number != first);
        let mut next: VecDeque<usize> = std::iter::once(first).chain(others).collect();
        let mut under_way = FuturesUnordered::new();
        let mut failed = Vec::new();
        let mut silent: Vec<usize> = Vec::new();
        loop {
            if let Some(number) = next.pop_front()
                && let Some(way) = self.ways.get(number)
            {
                silent.push(number);
                under_way.push(async move { (number, way, way.connect().await) });
            }
            let is_last = next.is_empty();
            tokio::select! {
                Some((number, way, tried)) = under_way.next() => match tried {
                    Ok(connection) => {
                        self.remember(number);
                        return Ok((way, connection));
                    }
                    Err(error) => {
                        silent.retain(|other| *other != number);
                        failed.push((number, error));
                        if is_last && silent.is_empty() {
                            return Err(together(failed));
                        }
                    }
                },
                () = sleep(HEAD_START), if !is_last => {}
                () = sleep_until(end) => {
                    let ways = silent.iter().filter_map(|number| Some((*number, self.ways.get(*number)?)));
                    failed.extend(ways.map(|(number, way)| (number, way.silent())));
                    return Err(together(failed));
                }
            }
        }
    }

    /// The number of the server that is tried first.
    fn first(&self) -> usize {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.since.elapsed() < REMEMBERED {
            return last.number;
        }
        last.since = Instant::now();
        0
    }

    fn remember(&self, number: usize) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.number == number {
            return;
        }
        *last = Last {
            number,
            since: Instant::now(),
        };
        if let Some(place) = self.url.places().get(number) {
            tracing::info!(server = %place, "another server of the database's URL is used from now on");
        }
    }

    /// Whether connections are handed out by transaction: then the server process that one of ours has just used answers
    /// another. Should strangers take it in between, there is another round.
    pub(super) async fn is_shared(&self, end: Duration) -> Result<bool, StoreError> {
        let mut one = self.connect_within(end).await?;
        let mut other = self.connect_within(end).await?;
        let look = async {
            let mut is_shared = false;
            for _ in 0..ROUNDS {
                is_shared |= process_of(&mut one).await? == process_of(&mut other).await?;
            }
            one.close().await?;
            other.close().await?;
            Ok::<_, sqlx::Error>(is_shared)
        };
        let looked = timeout(end, look).await;
        Ok(looked.unwrap_or_else(|_late| Err(silence()))?)
    }
}

/// One failure of several servers, in the URL's order.
fn together(mut failed: Vec<(usize, Unreachable)>) -> Unreachable {
    failed.sort_by_key(|(number, _)| *number);
    let texts: Vec<&str> = failed
        .iter()
        .map(|(_, error)| error.text.as_str())
        .collect();
    Unreachable {
        text: texts.join("; "),
        may_pass: failed.iter().any(|(_, error)| error.may_pass),
        pause: failed.iter().filter_map(|(_, error)| error.pause).max(),
    }
}

/// The number of the server process that answers.
async fn process_of(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    let asked = sqlx::raw_sql("select pg_backend_pid()");
    let row = connection.fetch_one(asked).await?;
    row.try_get(0)
}

impl Unreachable {
    /// Whether waiting may help: a server that is not there yet may come; a wrong password stays wrong.
    pub fn may_pass(&self) -> bool {
        self.may_pass
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Without a source: the text says it all, and once.
impl std::error::Error for Unreachable {}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connector").field(&self.url).finish()
    }
}
