//! Asks Anam, within bounds: time, size, one retry, no redirects.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use super::breaker::Report;
use super::breakers::Breakers;
use super::connections::{AnamOptions, Connections, SetUpError};
use super::key::ApiKey;
use super::pace::{self, Pace};
use super::reason::Reason;
use super::wire::{ErrorAnswer, MintAnswer};
use super::{AnamError, MintRefused, SessionToken};
use crate::clock::Clock;
use crate::domain::ids::TenantId;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces::{RequestTrace, Step};

/// A client of Anam's API. The key is given with each call; kept are only those that failed of late.
#[derive(Debug)]
pub struct Anam {
    connections: Arc<Connections>,
    mint_url: Url,
    pub(super) options: AnamOptions,
    clock: Clock,
    pub(super) metrics: Metrics,
    runtime: Handle,
    breakers: Breakers,
    pace: Pace,
}

/// The span of one try.
const TRY: &str = "POST /v1/auth/session-token";

/// An answer, whatever it says.
struct Answer {
    status: u16,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

impl Anam {
    /// Prepares a client; connects on first use, on the runtime that this is called in.
    pub fn new(options: AnamOptions, clock: Clock, metrics: Metrics) -> Result<Self, SetUpError> {
        let mint_url = options
            .base_url
            .join("v1/auth/session-token")
            .map_err(|error| SetUpError(error.to_string()))?;
        let breakers = Breakers::new(options.breaker_failures, options.deadline, metrics.clone());
        Ok(Self {
            breakers,
            pace: Pace::default(),
            connections: Connections::new(options.clone())?,
            mint_url,
            options,
            clock,
            metrics,
            runtime: Handle::current(),
        })
    }

    /// How long to wait before Anam is asked for a token with this key again; `None` where it may be now. It is not while it fails, nor for
    /// more than it can serve while it is slow.
    pub fn pause(&self, tenant: TenantId, key: &ApiKey) -> Option<Duration> {
        let failing = self.breakers.refusal(tenant, key);
        failing.or_else(|| self.pace.is_full(tenant).then_some(pace::RETRY_AFTER))
    }

    /// Forgets what is long ago; call it now and then.
    pub fn forget_idle(&self) {
        self.breakers.forget_idle();
        self.pace.forget_idle();
    }

    /// Asks for a session token, unless Anam failed too often with this key. `body` is the JSON of a [`super::wire::MintBody`].
    /// To be called on the main runtime, since connections belong to the runtime that opened them.
    pub async fn mint(
        &self,
        tenant: TenantId,
        key: &ApiKey,
        body: &Bytes,
        trace: &RequestTrace,
    ) -> Result<SessionToken, MintRefused> {
        let asking = self.pace.begin(tenant).ok_or(AnamError::Paused {
            retry_after: pace::RETRY_AFTER,
        })?;
        let passage = self
            .breakers
            .pass(tenant, key)
            .map_err(|retry_after| AnamError::Paused { retry_after })?;
        let asked = Instant::now();
        let retries = match passage {
            Some(passage) if passage.is_trial() => 0,
            _ => self.options.retries,
        };
        let answer = self.mint_in_time(key, body, retries, trace).await;
        asking.took(asked.elapsed(), answer.is_ok());
        let report = match &answer {
            Err(refused) if refused.error.is_a_failure_of_anam() => Report::Failed,
            _ => Report::Answered,
        };
        self.breakers.report(tenant, key, passage, report);
        answer
    }

    /// One try, and as many more after a failure that is worth one, all within the deadline.
    async fn mint_in_time(
        &self,
        key: &ApiKey,
        body: &Bytes,
        mut retries: u32,
        trace: &RequestTrace,
    ) -> Result<SessionToken, MintRefused> {
        let deadline = Instant::now() + self.options.deadline;
        loop {
            let span = trace.call(TRY);
            let attempt = tokio::time::timeout_at(deadline, self.mint_once(key, body, &span));
            let answer = attempt
                .await
                .unwrap_or_else(|_elapsed| Err(AnamError::TimedOut.into()));
            let refused = match answer {
                Ok(token) => {
                    self.metrics.anam_request("ok");
                    return Ok(token);
                }
                Err(refused) => refused,
            };
            self.metrics.anam_request(refused.error.code());
            span.failed(refused.error.code());
            drop(span);
            let pause = self.pause_before_retry();
            let is_last = retries == 0 || !refused.error.is_worth_a_retry();
            // Another try must at least have the time to connect.
            if is_last || Instant::now() + pause + self.options.connect_timeout > deadline {
                return Err(refused);
            }
            tracing::debug!(error = %refused, "asking Anam again");
            retries -= 1;
            tokio::time::sleep(pause).await;
        }
    }

    async fn mint_once(
        &self,
        key: &ApiKey,
        sent: &Bytes,
        span: &Step,
    ) -> Result<SessionToken, MintRefused> {
        let connections = self.connections.newest();
        let mut request = connections
            .client
            .post(self.mint_url.clone())
            .header(AUTHORIZATION, key.0.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(sent.clone());
        if let Some(traceparent) = span.traceparent() {
            request = request.header("traceparent", traceparent);
        }
        let answer = exchange(request, self.options.max_body_bytes).await;
        if matches!(answer, Err(AnamError::TimedOut)) {
            self.connections.leave(connections).await;
        }
        let answer = answer?;
        span.set("http.response.status_code", i64::from(answer.status));
        if answer.status != 200 {
            return Err(MintRefused {
                error: refusal(&answer),
                reason: Reason::read(&answer.body, sent, key.text()),
            });
        }
        let body = answer.body;
        let answer: MintAnswer = serde_json::from_slice(&body)
            .map_err(|_may_hold_a_token| AnamError::BadToken("the answer has no sessionToken"))?;
        Ok(SessionToken::check(answer.session_token, self.clock.now())?)
    }

    /// One GET, not repeated; an answer of more than `max_bytes` is cut off.
    pub(super) async fn get<V: AsRef<str>>(
        &self,
        key: &ApiKey,
        path: &str,
        query: &[(&str, V)],
        max_bytes: usize,
        timeout: Duration,
    ) -> Result<Vec<u8>, AnamError> {
        let mut url = self
            .options
            .base_url
            .join(path)
            .map_err(|_no_url| AnamError::Unreachable)?;
        url.query_pairs_mut().extend_pairs(query);
        let connections = self.connections.newest();
        let request = connections
            .client
            .get(url)
            .header(AUTHORIZATION, key.0.clone())
            .timeout(timeout);
        self.fetch_body(request, max_bytes).await
    }

    /// Asks. A connection belongs to the runtime on which it was opened, and others use it too: on a web worker's, they would
    /// wait for whatever that worker does.
    async fn exchange(
        &self,
        request: RequestBuilder,
        max_body_bytes: usize,
    ) -> Result<Answer, AnamError> {
        let asking = self.runtime.spawn(exchange(request, max_body_bytes));
        AbortOnDropHandle::new(asking)
            .await
            .unwrap_or(Err(AnamError::Unreachable))
    }

    /// Asks, and gives the body of an answer that is 200.
    async fn fetch_body(
        &self,
        request: RequestBuilder,
        max_body_bytes: usize,
    ) -> Result<Vec<u8>, AnamError> {
        let answer = self.exchange(request, max_body_bytes).await?;
        if answer.status == 200 {
            Ok(answer.body)
        } else {
            Err(refusal(&answer))
        }
    }

    /// 50 to 150 ms, so that many instances do not ask again in step.
    pub(super) fn pause_before_retry(&self) -> Duration {
        let jitter = self.clock.now().timestamp_subsec_micros() % 100;
        Duration::from_millis(50 + u64::from(jitter))
    }
}

async fn exchange(request: RequestBuilder, max_body_bytes: usize) -> Result<Answer, AnamError> {
    let answer = request.send().await.map_err(|error| class_of(&error))?;
    let status = answer.status().as_u16();
    let retry_after = retry_after(answer.headers().get(RETRY_AFTER));
    let mut body = Vec::new();
    let mut chunks = answer.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        body.extend_from_slice(&chunk.map_err(|error| class_of(&error))?);
        if body.len() > max_body_bytes {
            return Err(AnamError::Unexpected { status });
        }
    }
    Ok(Answer {
        status,
        retry_after,
        body,
    })
}

/// What an answer that is not 200 means.
fn refusal(answer: &Answer) -> AnamError {
    let error = serde_json::from_slice::<ErrorAnswer>(&answer.body)
        .ok()
        .and_then(|answer| answer.error);
    AnamError::of_answer(answer.status, error.as_deref(), answer.retry_after)
}

fn class_of(error: &reqwest::Error) -> AnamError {
    // Nothing was sent where connecting took too long, so that is no different from any other failure to connect.
    if error.is_timeout() && !error.is_connect() {
        AnamError::TimedOut
    } else {
        AnamError::Unreachable
    }
}

/// Seconds only; a date would need trust in Anam's clock. An hour at most.
fn retry_after(header: Option<&HeaderValue>) -> Option<Duration> {
    let seconds: u64 = header?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(3_600)))
}
