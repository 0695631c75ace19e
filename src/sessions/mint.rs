//! THE MAIN JOB: a user's JWT and a context in, a personalised Anam session token out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use tracing::Instrument;

use super::record::{self, Inputs};
use super::timings::Timings;
use super::written::WrittenConfig;
use crate::anam::wire::MintBody;
use crate::anam::{Anam, AnamError, ApiKey, MintRefused};
use crate::auth::AuthError;
use crate::domain::caller::Caller;
use crate::domain::decide::{Decision, Moment, Undecided, decide};
use crate::domain::fault::Fault;
use crate::domain::ids::{RequestId, SessionId, TenantId};
use crate::domain::json::{self, JsonFault};
use crate::domain::quota::{Left, Reached};
use crate::domain::request::{BodyFault, MintRequest};
use crate::domain::trace::ContextFound;
use crate::gateway::{Gateway, UserCall};
use crate::ledger::{Ledger, LedgerError};
use crate::lifecycle::Finisher;
use crate::limits::{Admitted, TooMany};
use crate::places::{self, Full, NoPlace, Place};
use crate::refusals::{RefusalReason, Refused};
use crate::repeats::{Claim, Issued, KeyReused, NoKey, Repeat};
use crate::sources::{LiveTenant, SourceError};
use crate::store::sessions::Requested;
use crate::telemetry::metrics::{Limit, Metrics};
use crate::telemetry::millis;
use crate::telemetry::traces::RequestTrace;

/// A request for a session token, not verified yet.
#[derive(Debug)]
pub struct MintCall<'a, B> {
    pub by: UserCall<'a>,
    /// The `Idempotency-Key`: a repeat gets what the first request got.
    pub key: Result<Option<&'a str>, NoKey>,
    /// A future of the body, which is empty for the default context. It is awaited once the JWT is verified, so that a caller without one
    /// holds nothing up.
    pub body: B,
}

/// A token whose session is recorded: it may be returned.
#[derive(Debug)]
pub struct Minted {
    pub issued: Arc<Issued>,
    /// How long each part took.
    pub timings: Timings,
    /// What is left of quotas, and when that was; nothing where there is none, or where it is not known.
    pub left: (Vec<Left>, DateTime<Utc>),
}

/// Why no token was issued.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// The token was refused, or its tenant is suspended.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The page's origin is not one of the tenant's.
    #[error("this origin is not allowed")]
    OriginNotAllowed,
    /// The body could not be read.
    #[error(transparent)]
    Unread(#[from] BodyFault),
    /// The body is not JSON as we take it.
    #[error(transparent)]
    Json(#[from] JsonFault),
    /// The header of the request's key holds none.
    #[error(transparent)]
    NoKey(#[from] NoKey),
    /// The request's key was sent with another one.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// The body does not match the operation's schema.
    #[error("the body is not what this operation takes")]
    Body(Vec<Fault>),
    /// A rate limit was reached.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// A quota is used up, as of this time.
    #[error("{}", .0)]
    Quota(Reached, DateTime<Utc>),
    /// All places are taken.
    #[error("all places are taken")]
    Full(Full),
    /// The tenant's live documents could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// No persona could be chosen or configured.
    #[error(transparent)]
    Undecided(#[from] Undecided),
    /// The session could not be recorded, so no token may leave.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Anam failed too often of late with the tenant's key, so it was not asked.
    #[error("Anam is not asked for a while")]
    Paused { retry_after: Duration },
    /// Anam issued no token.
    #[error("{error}")]
    Anam {
        /// The session, which was recorded.
        session: SessionId,
        error: AnamError,
    },
}

impl MintError {
    /// The label in metrics.
    fn label(&self) -> &'static str {
        match self {
            Self::Auth(_) => "unauthenticated",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::Unread(_)
            | Self::Json(_)
            | Self::Body(_)
            | Self::NoKey(_)
            | Self::KeyReused(_) => "invalid_request",
            Self::TooMany(_) => "rate_limited",
            Self::Quota(..) => "quota_reached",
            Self::Full(_) => "places_taken",
            Self::Source(_) => "source_unavailable",
            Self::Undecided(_) => "undecided",
            Self::Ledger(_) => "ledger_unavailable",
            Self::Paused { .. } => "upstream_paused",
            Self::Anam { error, .. } => error.code(),
        }
    }
}

impl From<NoPlace> for MintError {
    fn from(none: NoPlace) -> Self {
        match none {
            NoPlace::Full(full) => Self::Full(full),
            NoPlace::Busy => TooMany::AtOnce { limit: Limit::Turn }.into(),
        }
    }
}

/// Does the main job, and counts its outcome.
pub async fn mint<B, T>(gateway: &Gateway, call: MintCall<'_, B>) -> Result<Minted, MintError>
where
    B: Future<Output = Result<T, BodyFault>>,
    T: AsRef<[u8]>,
{
    let started = Instant::now();
    let trace = RequestTrace::current();
    let judging = trace.step("auth");
    let caller = gateway.authenticate(&call.by).await.map_err(|error| {
        judging.failed(error.as_label());
        let error = MintError::from(error);
        gateway.metrics.mint(error.label(), None);
        error
    })?;
    drop(judging);
    let request = call.by.request;
    let tenant = Some(caller.tenant);
    let ready = match prepare(gateway, call, caller, started).await {
        Ok(Prepared::Ready(ready)) => ready,
        Ok(Prepared::Repeated(minted)) => {
            gateway.metrics.mint("repeated", tenant);
            return Ok(minted);
        }
        Err(error) => {
            trace.set("error.type", error.label());
            gateway.metrics.mint(error.label(), tenant);
            note_limit(gateway, &error, tenant, request);
            return Err(error);
        }
    };
    let counted = ready.row.counted.as_ref().map(|_| ready.caller.clone());
    let minted = ready.run(&gateway.finisher).await;
    if let (Some(caller), Err(MintError::Quota(reached, _))) = (counted, &minted) {
        gateway.limits.note_used_up(&caller, *reached);
    }
    if let Err(error) = &minted {
        note_limit(gateway, error, tenant, request);
    }
    minted
}

/// Shows the tenant's admins that a user was refused by a limit: no session says so.
fn note_limit(
    gateway: &Gateway,
    error: &MintError,
    tenant: Option<TenantId>,
    request: Option<RequestId>,
) {
    let why = match error {
        MintError::Quota(..) => RefusalReason::Quota,
        MintError::TooMany(_) => RefusalReason::TooOften,
        MintError::Full(_) => RefusalReason::PlacesTaken,
        _ => return,
    };
    if let Some(tenant) = tenant {
        gateway.refusals.note(Refused::limit(why, tenant, request));
    }
}

/// Everything from a verified caller up to the first trace that a mint leaves.
async fn prepare<B, T>(
    gateway: &Gateway,
    call: MintCall<'_, B>,
    caller: Caller,
    started: Instant,
) -> Result<Prepared, MintError>
where
    B: Future<Output = Result<T, BodyFault>>,
    T: AsRef<[u8]>,
{
    let auth = started.elapsed();

    let key = call.key?;
    let request = parse(call.body.await?.as_ref())?;
    let read = started.elapsed();
    let trace = RequestTrace::current();
    let admitting = gateway.admit(&caller);
    let mut admitted = trace.around("limits", admitting).await?;
    let reading = gateway.sources.for_mint(&caller, &admitted);
    let (tenant, stored) = trace.around("sources", reading).await?;
    if !gateway.admit_origin(&call.by, &tenant) {
        return Err(MintError::OriginNotAllowed);
    }
    gateway
        .admit_by_policy(&caller, &tenant, &mut admitted)
        .await?;
    let before = Instant::now();
    let claim = match key {
        None => None,
        Some(key) => match gateway.repeats.judge(&caller, key, &request).await? {
            Repeat::First(claim) => Some(claim),
            Repeat::Again(issued) => {
                let total = started.elapsed();
                let timings = Timings {
                    auth,
                    total,
                    ..Timings::default()
                };
                let left = (Vec::new(), gateway.clock.now());
                return Ok(Prepared::Repeated(Minted {
                    issued,
                    timings,
                    left,
                }));
            }
        },
    };
    let waited = before.elapsed();
    let key = tenant.anam_key()?.clone();
    if let Some(retry_after) = gateway.anam.pause(caller.tenant, &key) {
        return Err(MintError::Paused { retry_after });
    }
    let moment = new_moment(gateway);
    let policy = &tenant.snapshot.policy;
    let unspent = gateway
        .limits
        .check_quotas(&caller, &policy.quotas, moment.now);
    unspent.map_err(|reached| MintError::Quota(reached, moment.now))?;
    trace.set("session.id", moment.session.to_string());
    let deciding = trace.step("decide");
    let decided = decide(
        &tenant.snapshot,
        &caller,
        &stored.preferences,
        &request,
        moment,
    );
    note_context(gateway, &caller, &request, &decided);
    let decision = decided?;
    drop(deciding);

    let config = WrittenConfig::new(&decision);
    let inputs = Inputs {
        caller: &caller,
        preferences: &stored.preferences,
        request: &request,
        moment,
    };
    let row = record::requested(inputs, policy, &decision, &config, call.by.request);
    let body = MintBody {
        client_label: moment.session.to_string(),
        // The only place where secrets are in the clear: the decision keeps their names.
        persona_config: tenant.secrets.reveal(&decision.config, &config.persona)?,
        session_options: &config.session_options,
    };
    let place = take_place(gateway, &caller, &tenant, &decision, moment).await?;
    let decided = started.elapsed();
    Ok(Prepared::Ready(Box::new(Ready {
        is_test: false,
        ledger: gateway.ledger.clone(),
        anam: gateway.anam.clone(),
        metrics: gateway.metrics.clone(),
        body: body.to_json(),
        key,
        row,
        caller,
        decision,
        moment,
        started,
        timings: Timings {
            auth,
            decide: decided.saturating_sub(read),
            ..Timings::default()
        },
        decided,
        admitted,
        place,
        claim,
        waited,
        trace,
    })))
}

/// A place for the conversation, where those of the tenant's Anam key are counted.
pub(crate) async fn take_place(
    gateway: &Gateway,
    caller: &Caller,
    tenant: &LiveTenant,
    decision: &Decision,
    moment: Moment,
) -> Result<Option<Place>, MintError> {
    let request = places::Request {
        caller,
        key: tenant.key_owner(),
        rates: tenant.snapshot.policy.limits,
        moment,
        longest: decision.longest(),
    };
    if !gateway.places.are_counted_for(&request) {
        return Ok(None);
    }
    let taking = gateway.places.take(request);
    Ok(RequestTrace::current().around("places", taking).await?)
}

/// What is left to do.
enum Prepared {
    Ready(Box<Ready>),
    /// Nothing: the request repeats another.
    Repeated(Minted),
}

/// A decided mint, and all that the rest of it needs: of a user, or a test call.
pub(crate) struct Ready {
    /// Whether no user asks, but somebody who administers.
    pub(crate) is_test: bool,
    pub(crate) ledger: Ledger,
    pub(crate) anam: Arc<Anam>,
    pub(crate) metrics: Metrics,
    /// What Anam is sent, with secrets in it.
    pub(crate) body: Bytes,
    pub(crate) key: ApiKey,
    pub(crate) row: Requested,
    pub(crate) caller: Caller,
    pub(crate) decision: Decision,
    pub(crate) moment: Moment,
    pub(crate) started: Instant,
    /// How long it took up to here.
    pub(crate) timings: Timings,
    /// When it was decided, from the start.
    pub(crate) decided: Duration,
    pub(crate) admitted: Admitted,
    /// Where places are counted.
    pub(crate) place: Option<Place>,
    /// Held until repeats can get the answer.
    pub(crate) claim: Option<Claim>,
    /// How long it waited for that.
    pub(crate) waited: Duration,
    pub(crate) trace: RequestTrace,
}

impl Ready {
    /// Records the session and asks Anam. From here on everything is done to its end: a client that is gone leaves no session
    /// without an outcome.
    pub(crate) fn run(
        self: Box<Self>,
        finisher: &Finisher,
    ) -> impl Future<Output = Result<Minted, MintError>> + use<> {
        let finishing = finisher.run(self.finish().in_current_span());
        async move {
            let minted = finishing.await;
            minted.unwrap_or(Err(MintError::Ledger(LedgerError::Unavailable)))
        }
    }

    async fn finish(mut self: Box<Self>) -> Result<Minted, MintError> {
        let (metrics, is_test) = (self.metrics.clone(), self.is_test);
        let tenant = self.caller.tenant;
        let trace = self.trace.clone();
        let place = self.place.take();
        let minted = self.record_and_ask().await;
        if let (Err(_), Some(place)) = (&minted, place) {
            place.give_back().await;
        }
        let outcome = minted.as_ref().map_or_else(MintError::label, |_| "issued");
        if minted.is_err() {
            trace.set("error.type", outcome);
        }
        if is_test {
            metrics.test_call(outcome);
        } else {
            metrics.mint(outcome, Some(tenant));
            if let Ok(minted) = &minted {
                minted.timings.count(&metrics);
            }
        }
        minted
    }

    async fn record_and_ask(self: Box<Self>) -> Result<Minted, MintError> {
        let Self {
            ledger,
            caller,
            decision,
            moment,
            started,
            mut admitted,
            claim,
            ..
        } = *self;
        // The row is committed while the request to Anam is under way; no token leaves before both are done.
        let asking = async {
            let asked = Instant::now();
            let asking = self
                .anam
                .mint(caller.tenant, &self.key, &self.body, &self.trace);
            let answer = asking.await;
            if !self.is_test {
                ledger.anam_took(started.elapsed().saturating_sub(self.decided));
            }
            (answer, asked.elapsed())
        };
        let given_back = self.row.to_give_back();
        let recording = self.trace.around("ledger", ledger.requested(self.row));
        let (recorded, (answer, took)) = tokio::join!(recording, asking);
        let total = started.elapsed();
        let left = match recorded {
            Ok(left) => (left, moment.now),
            Err(LedgerError::Quota(reached)) => {
                return Err(MintError::Quota(reached, moment.now));
            }
            Err(error) => return Err(error.into()),
        };
        // What a test call takes beside Anam says nothing of how many users can be served.
        if answer.is_ok() && !self.is_test {
            admitted.note(took + self.waited);
        }
        let timings = Timings {
            anam: total.saturating_sub(self.decided),
            total,
            ..self.timings
        };
        ledger.outcome(record::outcome(
            &caller, moment, &answer, timings, given_back,
        ));
        if let Err(refused) = &answer {
            log_refusal(&caller, &decision, moment.session, timings, refused);
        }
        let session = moment.session;
        let token = answer.map_err(|MintRefused { error, .. }| match error {
            AnamError::Paused { retry_after } => MintError::Paused { retry_after },
            error => MintError::Anam { session, error },
        })?;
        let issued = Arc::new(Issued {
            token,
            session,
            context: decision.context,
            persona: decision.persona,
            persona_version: decision.version,
            persona_name: decision.config.name,
        });
        if let Some(claim) = claim {
            claim.keep(issued.clone());
        }
        Ok(Minted {
            issued,
            timings,
            left,
        })
    }
}

fn parse(body: &[u8]) -> Result<MintRequest, MintError> {
    if body.is_empty() {
        return Ok(MintRequest::default());
    }
    MintRequest::parse(json::parse(body)?).map_err(MintError::Body)
}

/// A new session's id and the time inside it, so that the ledger's partition follows from the id alone.
pub(crate) fn new_moment(gateway: &Gateway) -> Moment {
    let session = SessionId(gateway.clock.new_id());
    let now = session.at().unwrap_or_else(|| gateway.clock.now());
    Moment { now, session }
}

/// Counts how the context was found, and logs one that was not: the page and its tenant's contexts do not agree.
fn note_context(
    gateway: &Gateway,
    caller: &Caller,
    request: &MintRequest,
    decided: &Result<Decision, Undecided>,
) {
    let found = match decided {
        Ok(decision) => decision.trace.context_found,
        Err(Undecided::ContextUnknown { .. }) => ContextFound::Unknown,
        Err(_) => return,
    };
    gateway.metrics.mint_context(found, decided.is_ok());
    if let (ContextFound::Unknown, Some(asked)) = (found, &request.context) {
        let answered = decided
            .as_ref()
            .ok()
            .map(|decision| decision.context.as_str());
        tracing::info!(
            tenant.id = %caller.tenant,
            context.asked = asked,
            context = answered,
            "a context was not found"
        );
    }
}

/// Logs why Anam gave no token. A session that got one is in the line of its request.
fn log_refusal(
    caller: &Caller,
    decision: &Decision,
    session: SessionId,
    timings: Timings,
    MintRefused { error, reason }: &MintRefused,
) {
    tracing::warn!(
        tenant.id = %caller.tenant,
        session.id = %session,
        context = %decision.context,
        persona = %decision.persona,
        persona.version = decision.version,
        duration_ms = millis(timings.total),
        anam_ms = millis(timings.anam),
        code = error.code(),
        anam.status = error.upstream_status(),
        anam.reason = reason.as_ref().map(tracing::field::display),
        %error,
        "Anam gave no token"
    );
}
