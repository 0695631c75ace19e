//! The load: keep-alive connections on one thread, as cheap as they can be made.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::future::join_all;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use uuid::Uuid;

use super::http;

/// How long requests that are under way at the end may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// A connection that breaks so often is given up.
const BREAKS: u64 = 100;

/// Requests, taken in turn; the turn goes on from one load to the next.
#[derive(Debug)]
pub(super) struct Requests {
    ready: Vec<Vec<u8>>,
    next: AtomicUsize,
}

impl Requests {
    pub(super) fn new(ready: Vec<Vec<u8>>) -> Arc<Self> {
        Arc::new(Self {
            ready,
            next: AtomicUsize::new(0),
        })
    }

    fn next(&self) -> &[u8] {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let at = number.checked_rem(self.ready.len()).unwrap_or_default();
        self.ready.get(at).map_or(&[], Vec::as_slice)
    }
}

/// One load.
#[derive(Debug, Clone)]
pub(super) struct Load {
    pub(super) on: SocketAddr,
    pub(super) requests: Arc<Requests>,
    pub(super) connections: u16,
    /// Requests a second; none where each connection sends its next request when it has its answer.
    pub(super) rate: Option<u32>,
    pub(super) duration: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Of answers with 200, in microseconds; sorted.
    pub(super) latencies: Vec<u32>,
    /// Other answers by status: how many, and the first.
    pub(super) refused: BTreeMap<u16, (u64, String)>,
    /// Requests without an answer: how many, and why the first.
    pub(super) broken: u64,
    pub(super) first_break: Option<io::Error>,
    /// The `sessionId`s of answers that have one.
    pub(super) sessions: Vec<Uuid>,
    pub(super) elapsed: Duration,
}

impl Load {
    /// Puts the load on, and waits for every answer.
    pub(super) fn run(&self) -> anyhow::Result<Outcome> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let begun = Instant::now();
        let end = begun + self.duration;
        let due = self
            .rate
            .map(|rate| Mutex::new(due_times(rate, begun, end)));
        let connections = (0..self.connections).map(|_| self.converse(end, due.as_ref()));
        let all =
            async { tokio::time::timeout(self.duration + PATIENCE, join_all(connections)).await };
        let parts = runtime.block_on(all).with_context(|| {
            let patience = PATIENCE.as_secs();
            format!("requests are not answered within {patience} seconds")
        })?;
        let mut outcome = parts.into_iter().fold(Outcome::default(), Outcome::and);
        outcome.latencies.sort_unstable();
        outcome.elapsed = begun.elapsed();
        Ok(outcome)
    }

    /// What one connection does.
    async fn converse(
        &self,
        end: Instant,
        due: Option<&Mutex<UnboundedReceiver<Instant>>>,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let mut socket = None;
        let mut buffer = Vec::with_capacity(16 * 1024);
        while outcome.broken < BREAKS {
            let begin = match due {
                Some(due) => match due.lock().await.recv().await {
                    // What waited for a free connection is timed from when it was due.
                    Some(due) => due,
                    None => break,
                },
                None if Instant::now() >= end => break,
                None => Instant::now(),
            };
            match self.ask(&mut socket, &mut buffer).await {
                Ok(answer) => outcome.count(&answer, begin.elapsed()),
                Err(error) => {
                    socket = None;
                    outcome.broken += 1;
                    outcome.first_break.get_or_insert(error);
                }
            }
        }
        outcome
    }

    async fn ask<'b>(
        &self,
        socket: &mut Option<TcpStream>,
        buffer: &'b mut Vec<u8>,
    ) -> io::Result<http::Message<'b>> {
        let socket = if let Some(socket) = socket {
            socket
        } else {
            let new = TcpStream::connect(self.on).await?;
            new.set_nodelay(true)?;
            socket.insert(new)
        };
        socket.write_all(self.requests.next()).await?;
        http::read(socket, buffer)
            .await?
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

/// Says when each request is due, at that moment. A thread that sleeps is exact to some ten microseconds; tokio's timers are not.
fn due_times(rate: u32, begun: Instant, end: Instant) -> UnboundedReceiver<Instant> {
    let (send, receive) = mpsc::unbounded_channel();
    let apart = Duration::from_secs(1) / rate;
    std::thread::spawn(move || {
        let mut due = begun;
        while due < end {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if send.send(due).is_err() {
                return;
            }
            due += apart;
        }
    });
    receive
}

impl Outcome {
    /// Requests that were answered with 200.
    pub(super) fn answered(&self) -> usize {
        self.latencies.len()
    }

    /// What went wrong, in words.
    pub(super) fn faults(&self) -> Option<String> {
        let mut faults = Vec::new();
        for (status, (count, first)) in &self.refused {
            faults.push(format!("{count} answers with {status}, the first: {first}"));
        }
        if let Some(error) = &self.first_break {
            faults.push(format!(
                "{} requests without an answer: {error}",
                self.broken
            ));
        }
        (!faults.is_empty()).then(|| faults.join("; "))
    }

    fn count(&mut self, answer: &http::Message<'_>, took: Duration) {
        let status = answer.status();
        if status == 200 {
            self.latencies
                .push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
            self.sessions.extend(session_id(answer.body));
            return;
        }
        let first = || (0, String::from_utf8_lossy(answer.body).into_owned());
        self.refused.entry(status).or_insert_with(first).0 += 1;
    }

    fn and(mut self, other: Self) -> Self {
        self.latencies.extend(other.latencies);
        self.sessions.extend(other.sessions);
        self.broken += other.broken;
        self.first_break = self.first_break.or(other.first_break);
        for (status, (count, first)) in other.refused {
            self.refused.entry(status).or_insert((0, first)).0 += count;
        }
        self
    }
}

/// Without parsing the body, which has a kilobyte.
fn session_id(body: &[u8]) -> Option<Uuid> {
    const MEMBER: &[u8] = b"\"sessionId\":\"";
    let at = body
        .windows(MEMBER.len())
        .position(|window| window == MEMBER)?
        + MEMBER.len();
    Uuid::try_parse_ascii(body.get(at..at + 36)?).ok()
}
