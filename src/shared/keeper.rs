//! Keeps the connection to Redis, and makes another when it is lost. Requests never do: they find it, or do without.

use std::time::Duration;

use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::answers::Settlement;
use super::rates::probe;
use super::{Link, Shared, reason_of};

/// How long connecting may take: name, TLS, login and the first answer.
const CONNECTING: Duration = Duration::from_secs(1);
/// How often Redis is asked whether it still is there, and claims are made to last.
const PULSE: Duration = Duration::from_secs(1);
/// What is settled at once.
const BATCH: usize = 64;
/// The pause before connecting again. It doubles, up to the longest, while connections last less than that.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(16);

/// What keeps the connection to Redis.
#[derive(Debug)]
pub struct Keeper {
    shared: Shared,
    client: Client,
    settlements: mpsc::Receiver<Settlement>,
    /// Connections so far.
    number: u64,
    /// Why there is none; `None` while there is one, or before the first try.
    away: Option<String>,
}

impl Keeper {
    pub(super) fn new(
        shared: Shared,
        client: Client,
        settlements: mpsc::Receiver<Settlement>,
    ) -> Self {
        Self {
            shared,
            client,
            settlements,
            number: 0,
            away: None,
        }
    }

    /// Connects, if that is possible now. The connection lives on the runtime that this is called in.
    pub async fn try_now(&mut self) {
        let reason = match timeout(CONNECTING, self.connect()).await {
            Ok(Ok(connection)) => {
                self.number += 1;
                self.away = None;
                self.shared.found(Link {
                    number: self.number,
                    connection,
                });
                return;
            }
            Ok(Err(error)) => reason_of(&error),
            Err(_elapsed) => format!("no connection within {} ms", CONNECTING.as_millis()),
        };
        if self.number == 0 && self.away.is_none() {
            self.shared.note_away(&reason);
        } else if self.away.as_ref() != Some(&reason) {
            tracing::info!(reason, "Redis can't be reached again yet");
        }
        self.away = Some(reason);
    }

    /// Connects again whenever the connection is lost.
    pub async fn run(mut self) {
        let mut pause = PAUSE;
        loop {
            if self.shared.is_up() {
                let since = Instant::now();
                self.watch().await;
                pause = match since.elapsed() {
                    short if short < LONGEST_PAUSE => (2 * pause).min(LONGEST_PAUSE),
                    _ => PAUSE,
                };
            }
            self.rest(pause).await;
            self.try_now().await;
        }
    }

    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        // The time limit of each question is that of whoever asks.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let connecting = self
            .client
            .get_multiplexed_async_connection_with_config(&config);
        let connection = connecting.await?;
        probe(connection.clone()).await?;
        Ok(connection)
    }

    /// Serves a connection until it is lost.
    async fn watch(&mut self) {
        let mut pulse = interval(PULSE);
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let shared = self.shared.clone();
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                () = shared.0.lost.notified() => {}
                _ = self.settlements.recv_many(&mut batch, BATCH) => {
                    join_all(batch.drain(..).map(|one| shared.settle(one))).await;
                }
                _ = pulse.tick() => {
                    shared.ask(probe).await;
                    shared.renew_claims().await;
                }
            }
            if !shared.is_up() {
                return;
            }
        }
    }

    /// Waits. What is to be settled meanwhile can't be: it ends by itself.
    async fn rest(&mut self, pause: Duration) {
        let until = sleep(pause);
        tokio::pin!(until);
        loop {
            tokio::select! {
                () = &mut until => return,
                Some(_) = self.settlements.recv() => {}
            }
        }
    }
}
