//! Delivers letters, tries again where that may help, and notes at invitations how it went.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;
use uuid::Uuid;

use super::letter::{InvitationLetter, Letter};
use super::smtp::{Smtp, Undelivered};
use crate::clock::Clock;
use crate::store::invitations::MailState;
use crate::store::{Database, log_not_done};
use crate::telemetry::metrics::Metrics;

/// Letters that are delivered, or wait for their next try.
const UNDER_WAY: usize = 64;
/// Connections to the mail server at the same time.
const AT_ONCE: usize = 4;
/// The pauses before further tries.
const PAUSES: [Duration; 3] = [
    Duration::from_secs(2),
    Duration::from_secs(15),
    Duration::from_mins(1),
];
/// How long letters may take that are left when the process stops.
const LAST_TRY: Duration = Duration::from_secs(5);

/// The task that delivers.
#[derive(Debug)]
pub struct Postman {
    letters: mpsc::Receiver<Letter>,
    round: Round,
}

/// What every delivery needs.
#[derive(Debug)]
struct Round {
    smtp: Smtp,
    database: Database,
    metrics: Metrics,
    clock: Clock,
    connections: Arc<Semaphore>,
}

impl Postman {
    pub(super) fn new(
        letters: mpsc::Receiver<Letter>,
        smtp: Smtp,
        database: Database,
        metrics: Metrics,
        clock: Clock,
    ) -> Self {
        Self {
            letters,
            round: Round {
                smtp,
                database,
                metrics,
                clock,
                connections: Arc::new(Semaphore::new(AT_ONCE)),
            },
        }
    }

    /// Delivers until nobody can send any more; then what is left is tried once more.
    pub async fn run(mut self) {
        let (stopping, stopped) = watch::channel(false);
        let mut under_way = FuturesUnordered::new();
        loop {
            tokio::select! {
                letter = self.letters.recv(), if under_way.len() < UNDER_WAY => match letter {
                    Some(letter) => under_way.push(self.round.deliver_safely(letter, stopped.clone())),
                    None => break,
                },
                Some(()) = under_way.next(), if !under_way.is_empty() => {}
            }
        }
        stopping.send_replace(true);
        let end = Instant::now() + LAST_TRY;
        let finish = async { while under_way.next().await.is_some() {} };
        if tokio::time::timeout_at(end, finish).await.is_err() {
            tracing::warn!(
                letters = under_way.len(),
                "letters were not delivered before the process stopped"
            );
        }
    }
}

impl Round {
    /// One letter that makes a reader panic ends no other.
    async fn deliver_safely(&self, letter: Letter, stopped: watch::Receiver<bool>) {
        let delivered = AssertUnwindSafe(self.deliver(letter, stopped)).catch_unwind();
        if delivered.await.is_err() {
            tracing::error!("the delivery of a letter panicked");
        }
    }

    async fn deliver(&self, letter: Letter, mut stopped: watch::Receiver<bool>) {
        let id = self.clock.new_id();
        let mut pauses = PAUSES.into_iter();
        let outcome = loop {
            let outcome = self.attempt(&letter, id).await;
            match (&outcome, pauses.next()) {
                (Err(undelivered), Some(pause)) if undelivered.for_now && !*stopped.borrow() => {
                    self.metrics.mail("retried");
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        // The last try.
                        _ = stopped.wait_for(|stopped| *stopped) => {}
                    }
                }
                _ => break outcome,
            }
        };
        match &outcome {
            Ok(()) => self.metrics.mail("sent"),
            Err(undelivered) => {
                self.metrics.mail(undelivered.label);
                tracing::warn!(reason = undelivered.reason, "a letter was not delivered");
            }
        }
        if let Some(invitation) = letter.invitation {
            let state = match outcome {
                Ok(()) => MailState::Sent,
                Err(undelivered) => MailState::Failed(undelivered.words),
            };
            self.note(invitation, &state).await;
        }
    }

    async fn attempt(&self, letter: &Letter, id: Uuid) -> Result<(), Undelivered> {
        // Never closed.
        let _connection = self.connections.acquire().await;
        self.smtp.deliver(letter, id).await
    }

    async fn note(&self, about: InvitationLetter, state: &MailState) {
        let noted = async {
            let mut tx = self.database.tenant(about.tenant).await?;
            tx.note_mail(about.invitation, state).await?;
            tx.commit().await
        };
        if let Err(error) = noted.await {
            log_not_done(&error, "it was not noted how a letter went");
        }
    }
}
