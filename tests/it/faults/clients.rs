//! Clients that note what they were told, and the comparison of that with the ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::postgres::TestDatabase;

/// Far longer than an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What clients were told.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Sessions with the hash of their token, in hex.
    pub(super) issued: Vec<(String, String)>,
    pub(super) statuses: BTreeMap<u16, usize>,
    /// Connections that were not made: whoever asks can safely ask elsewhere.
    not_connected: usize,
    /// Requests that were sent and got no answer, with their errors.
    pub(super) broken: Vec<String>,
}

impl Log {
    async fn note(&mut self, answer: reqwest::Response) {
        let status = answer.status().as_u16();
        *self.statuses.entry(status).or_default() += 1;
        let headers = answer.headers().clone();
        assert!(headers.contains_key("x-request-id"), "{status}");
        match answer.json::<Value>().await {
            Ok(body) if status == 200 => {
                let token = body["sessionToken"].as_str().unwrap();
                let hash = hex::encode(digest(&SHA256, token.as_bytes()));
                self.issued
                    .push((body["sessionId"].as_str().unwrap().to_owned(), hash));
            }
            Ok(body) => {
                // Faults of others are no faults of the gateway, and whoever may come again is told when.
                assert!(matches!(status, 429 | 502 | 503 | 504), "{status}: {body}");
                let waits = headers.contains_key("retry-after");
                assert!(waits || matches!(status, 502 | 504), "{status}: {body}");
            }
            Err(error) => self.broken.push(error.to_string()),
        }
    }

    fn add(&mut self, other: Self) {
        self.issued.extend(other.issued);
        self.broken.extend(other.broken);
        self.not_connected += other.not_connected;
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
    }

    /// Every token that a client has is in the ledger, once, with its own hash where the outcome is known. Gives how many
    /// sessions have no outcome.
    pub(super) async fn agrees_with(&self, database: &TestDatabase) -> usize {
        let rows = database
            .rows(
                "select s.id, o.outcome, encode(o.token_hash, 'hex') as hash
                 from session s left join session_outcome o on o.session_id = s.id and o.at = s.at",
            )
            .await;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let ledger: BTreeMap<String, (String, String)> = rows
            .iter()
            .map(|row| {
                (
                    text(&row["id"]),
                    (text(&row["outcome"]), text(&row["hash"])),
                )
            })
            .collect();
        assert_eq!(ledger.len(), rows.len(), "one outcome at most");
        let hashes: BTreeSet<&String> = self.issued.iter().map(|(_, hash)| hash).collect();
        assert_eq!(hashes.len(), self.issued.len(), "no token was given twice");
        for (session, hash) in &self.issued {
            let (outcome, stored) = ledger.get(session).expect("each token has its row");
            match outcome.as_str() {
                "issued" => assert_eq!(stored, hash),
                // Its instance died before it wrote the outcome.
                "unknown" | "" => {}
                other => panic!("{session} was issued, and is {other}"),
            }
        }
        let open = ledger.values().filter(|(outcome, _)| outcome.is_empty());
        open.count()
    }
}

/// Clients that ask again and again until they are stopped.
pub(super) struct Clients {
    stop: Arc<AtomicBool>,
    all: JoinSet<Log>,
}

impl Clients {
    /// Each asks at what `address` gives at that time, with one of the tokens. One that got no answer looks for a new address.
    pub(super) fn start<F>(count: usize, tokens: &[String], address: F) -> Self
    where
        F: Fn() -> String + Clone + Send + 'static,
    {
        let stop = Arc::new(AtomicBool::new(false));
        let mut all = JoinSet::new();
        for number in 0..count {
            let (stop, address) = (stop.clone(), address.clone());
            let token = tokens[number % tokens.len()].clone();
            all.spawn(async move {
                let client = reqwest::Client::builder().no_proxy().build().unwrap();
                let mut log = Log::default();
                while !stop.load(Ordering::SeqCst) {
                    let asked = client
                        .post(format!("{}/v1/session-token", address()))
                        .bearer_auth(&token)
                        .json(&json!({}))
                        .send();
                    let asked = tokio::time::timeout(PATIENCE, asked).await;
                    match asked.expect("every request has an end") {
                        Ok(answer) => log.note(answer).await,
                        Err(error) if error.is_connect() => {
                            log.not_connected += 1;
                            // Until there is another address.
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                        Err(error) => log.broken.push(format!("{error:?}")),
                    }
                }
                log
            });
        }
        Self { stop, all }
    }

    /// Waits for the last answers.
    pub(super) async fn stop(mut self) -> Log {
        self.stop.store(true, Ordering::SeqCst);
        let mut log = Log::default();
        while let Some(one) = self.all.join_next().await {
            log.add(one.unwrap());
        }
        log
    }
}
