//! Users who ask at a steady pace through the balancer, and what each of them got, when. Some are never seen before: these need the database.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::super::clients::Log;

/// How many ask at the same time.
const CLIENTS: usize = 10;
/// How often each of them asks, and how often somebody new does.
const PACE: Duration = Duration::from_millis(50);
const NEW_PACE: Duration = Duration::from_millis(100);
/// Far longer than an answer may take.
const LONGEST: Duration = Duration::from_secs(30);

/// One request, when it was sent and what came of it.
struct Asked {
    sent: Instant,
    took: Duration,
    /// A status, with the code of a problem; or why there is none.
    outcome: String,
    is_new: bool,
    /// The session and the hash of its token.
    issued: Option<(String, String)>,
}

/// Users who ask until they are stopped.
pub(super) struct Traffic {
    stop: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<Asked>>>,
    clients: JoinSet<()>,
}

/// What a fault cost.
#[derive(Debug)]
pub(super) struct Cost {
    pub(super) requests: usize,
    /// Requests that got no token, by their outcome.
    pub(super) failed: BTreeMap<String, usize>,
    /// From the fault to the last request that got no token, or took longer than a second, was sent.
    pub(super) lasted: Duration,
    /// The slowest answer with a token.
    pub(super) slowest: Duration,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (requests, slowest) = (self.requests, self.slowest.as_millis());
        write!(f, "{requests} requests, slowest token {slowest} ms")?;
        for (outcome, count) in &self.failed {
            write!(f, ", {count} {outcome}")?;
        }
        if !self.lasted.is_zero() {
            write!(f, "; well again after {:.1} s", self.lasted.as_secs_f64())?;
        }
        Ok(())
    }
}

impl Traffic {
    /// Users who ask again and again with their `tokens`, and others who come once, with what `newcomer` gives.
    pub(super) fn start(
        port: u16,
        tokens: &[String],
        newcomer: impl Fn(usize) -> String + Send + 'static,
    ) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let tokens = tokens.to_vec();
            let (stop, asked) = (stop.clone(), Arc::clone(&asked));
            clients.spawn(async move {
                let client = client();
                let mut pace = pace(PACE);
                let mut turn = number;
                while !stop.load(Ordering::SeqCst) {
                    pace.tick().await;
                    turn += CLIENTS;
                    let token = &tokens[turn % tokens.len()];
                    let done = ask(&client, port, token, false).await;
                    asked.lock().unwrap().push(done);
                }
            });
        }
        let (newcomers_stop, newcomers_asked) = (stop.clone(), Arc::clone(&asked));
        clients.spawn(async move {
            let client = client();
            let mut pace = pace(NEW_PACE);
            let mut number = 0;
            while !newcomers_stop.load(Ordering::SeqCst) {
                pace.tick().await;
                number += 1;
                let done = ask(&client, port, &newcomer(number), true).await;
                newcomers_asked.lock().unwrap().push(done);
            }
        });
        Self {
            stop,
            asked,
            clients,
        }
    }

    /// What users got since a moment: those who were seen before, or newcomers.
    pub(super) fn cost(&self, since: Instant, new: bool) -> Cost {
        let asked = self.asked.lock().unwrap();
        let asked: Vec<&Asked> = asked
            .iter()
            .filter(|one| one.is_new == new && one.sent + one.took > since)
            .collect();
        let mut failed = BTreeMap::new();
        for one in asked.iter().filter(|one| one.issued.is_none()) {
            *failed.entry(one.outcome.clone()).or_default() += 1;
        }
        let is_bad = |one: &&&Asked| one.issued.is_none() || one.took > Duration::from_secs(1);
        let bad = asked.iter().filter(is_bad);
        let lasted = bad.map(|one| one.sent.saturating_duration_since(since));
        let good = asked.iter().filter(|one| one.issued.is_some());
        Cost {
            requests: asked.len(),
            failed,
            lasted: lasted.max().unwrap_or_default(),
            slowest: good.map(|one| one.took).max().unwrap_or_default(),
        }
    }

    /// Whether all is well for so long, with some requests in that time.
    pub(super) fn is_well_for(&self, time: Duration) -> bool {
        let Some(since) = Instant::now().checked_sub(time) else {
            return false;
        };
        [false, true].into_iter().all(|new| {
            let cost = self.cost(since, new);
            cost.requests > CLIENTS
                && cost.failed.is_empty()
                && cost.slowest < Duration::from_secs(1)
        })
    }

    /// Waits for the last answers, and gives every token that a user got.
    pub(super) async fn stop(mut self) -> Log {
        self.stop.store(true, Ordering::SeqCst);
        while let Some(ended) = self.clients.join_next().await {
            ended.unwrap();
        }
        let mut log = Log::default();
        for one in self.asked.lock().unwrap().drain(..) {
            log.issued.extend(one.issued);
        }
        log
    }
}

fn client() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy();
    client.timeout(LONGEST).build().unwrap()
}

fn pace(each: Duration) -> Interval {
    let mut pace = interval(each);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pace
}

async fn ask(client: &reqwest::Client, port: u16, token: &str, is_new: bool) -> Asked {
    let url = format!("http://127.0.0.1:{port}/v1/session-token");
    let sent = Instant::now();
    let asked = client.post(url).bearer_auth(token).json(&json!({})).send();
    let (outcome, issued) = match asked.await {
        Ok(answer) => {
            let status = answer.status();
            match answer.json::<Value>().await {
                Ok(body) if status == 200 => {
                    let token = body["sessionToken"].as_str().unwrap();
                    let hash = hex::encode(digest(&SHA256, token.as_bytes()));
                    let session = body["sessionId"].as_str().unwrap().to_owned();
                    ("200".to_owned(), Some((session, hash)))
                }
                Ok(body) => (format!("{} {}", status.as_u16(), body["code"]), None),
                // The balancer's own pages are no JSON.
                Err(_) if status != 200 => (format!("{} of the balancer", status.as_u16()), None),
                Err(_) => ("cut off".to_owned(), None),
            }
        }
        Err(error) if error.is_connect() => ("no connection".to_owned(), None),
        Err(error) if error.is_timeout() => ("no answer in time".to_owned(), None),
        Err(_) => ("closed without an answer".to_owned(), None),
    };
    Asked {
        sent,
        took: sent.elapsed(),
        outcome,
        is_new,
        issued,
    }
}
