//! Errors as `application/problem+json` (RFC 9457), the same shape from every route.

mod body;
mod sessions;

use std::fmt;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::{HttpResponse, ResponseError};
use chrono::{DateTime, Utc};
use serde_json::Value;

pub use body::ProblemBody;

use super::codes::Code;
use super::finding::{FaultBody, Values, finding_bodies, values_of};
use super::quota::tell_left;
use crate::anam::AnamError;
use crate::auth::AuthError;
use crate::domain::decide::Undecided;
use crate::domain::fault::Fault;
use crate::domain::ids::SessionId;
use crate::domain::json::JsonFault;
use crate::domain::places::Whose;
use crate::domain::quota::Left;
use crate::domain::request::BodyFault;
use crate::domain::wrong::{Words, Wrong};
use crate::ledger::LedgerError;
use crate::limits::TooMany;
use crate::places::Full;
use crate::sources::SourceError;
use crate::store::{StoreError, log_not_done};
use crate::telemetry::metrics::Limit;
use crate::tenants::admin::NoAdmin;
use crate::tenants::refusal::Refusal;
use crate::work::WorkError;

/// Where `type` URIs live; they never change.
const TYPE_BASE: &str = "urn:persona-gateway:problem:";
/// Offered where Anam names no time itself.
const DEFAULT_RETRY: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub struct Problem {
    code: Code,
    detail: Option<Box<str>>,
    errors: Vec<Fault>,
    retry_after: Option<Duration>,
    challenge: Option<&'static str>,
    allow: Option<Box<str>>,
    // Boxed, so that the errors of a hundred functions stay small.
    session: Option<Box<SessionId>>,
    more: Option<Box<Extras>>,
}

/// Members that only some problems have.
#[derive(Debug, Default)]
struct Extras {
    current: Option<Value>,
    conflicts: Option<Value>,
    findings: Option<Value>,
    /// The quota that is used up, as of then.
    quota: Option<(Left, DateTime<Utc>)>,
    place: Option<Full>,
    reason: Option<&'static str>,
    /// What belongs to the reason.
    values: Values,
}

impl Problem {
    /// What it says, in sentences for people who see a page.
    pub fn in_words(&self) -> String {
        let detail = self.detail.as_deref();
        let mut words =
            vec![detail.map_or_else(|| format!("{}.", self.code.title()), str::to_owned)];
        words.extend(self.errors.iter().map(|fault| {
            format!(
                "{} {}.",
                fault.pointer.trim_start_matches('/'),
                fault.message
            )
        }));
        words.join(" ")
    }

    /// A problem of this kind.
    pub fn new(code: Code) -> Self {
        Self {
            code,
            detail: None,
            errors: Vec::new(),
            retry_after: None,
            challenge: None,
            allow: None,
            session: None,
            more: None,
        }
    }

    pub fn code(&self) -> Code {
        self.code
    }

    /// Sets `detail`.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into().into_boxed_str());
        self
    }

    /// Sets `errors`.
    #[must_use]
    pub fn errors(mut self, errors: Vec<Fault>) -> Self {
        self.errors = errors;
        self
    }

    /// Says when another try may pass.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Lists the methods that the address takes.
    #[must_use]
    pub fn allow(mut self, methods: &str) -> Self {
        self.allow = Some(methods.into());
        self
    }

    /// Names the session that was recorded of it.
    #[must_use]
    pub fn session(mut self, session: SessionId) -> Self {
        self.session = Some(Box::new(session));
        self
    }

    fn more(&mut self) -> &mut Extras {
        self.more.get_or_insert_default()
    }

    /// Sets `current`, the present state.
    #[must_use]
    pub fn current(mut self, current: Value) -> Self {
        self.more().current = Some(current);
        self
    }

    /// Says why, where a code stands for several reasons.
    #[must_use]
    pub fn reason(mut self, reason: &'static str) -> Self {
        self.more().reason = Some(reason);
        self
    }

    /// Says why, for people and for programs.
    #[must_use]
    pub fn why(mut self, why: &Words) -> Self {
        let more = self.more();
        more.reason = Some(why.wrong.code());
        more.values = values_of(&why.wrong);
        self.detail(why.sentence())
    }

    /// Says which quota is used up, as of then.
    #[must_use]
    pub fn quota(mut self, left: Left, now: DateTime<Utc>) -> Self {
        self.more().quota = Some((left, now));
        self
    }

    /// Says whose turn it is.
    #[must_use]
    pub fn place(mut self, full: Full) -> Self {
        self.more().place = Some(full);
        self.retry_after(full.retry_after)
    }

    /// The admin API's answer to a credential that is missing or not good.
    pub fn no_admin(token_was_sent: bool) -> Self {
        let mut problem = if token_was_sent {
            Self::bad_token()
        } else {
            Self::no_token()
        };
        problem.detail = Some(ADMIN_SIGN_IN.into());
        problem
    }

    /// No token was sent (RFC 6750, section 3: no error code then).
    pub fn no_token() -> Self {
        let mut problem = Self::new(Code::Unauthenticated).detail(SIGN_IN);
        problem.challenge = Some(r#"Bearer realm="persona-gateway""#);
        problem
    }

    /// The token was refused. One body for all reasons: the reason is for the log.
    pub fn bad_token() -> Self {
        let mut problem = Self::new(Code::Unauthenticated).detail(SIGN_IN);
        problem.challenge = Some(
            r#"Bearer realm="persona-gateway", error="invalid_token", error_description="The access token is missing, expired or not valid here""#,
        );
        problem
    }

    /// Somebody is not signed in (RFC 9110 wants a challenge with each 401).
    pub fn sign_in_failed(detail: &'static str) -> Self {
        let mut problem = Self::new(Code::SignInFailed).detail(detail);
        problem.challenge = Some(r#"Bearer realm="persona-gateway""#);
        problem
    }

    /// Says how to prove more (RFC 9110 wants a challenge with each 401).
    #[must_use]
    pub fn challenged(mut self, challenge: &'static str) -> Self {
        self.challenge = Some(challenge);
        self
    }

    pub fn body(&self) -> ProblemBody {
        let more = self.more.as_deref();
        let place = more.and_then(|more| more.place);
        ProblemBody {
            kind: format!("{TYPE_BASE}{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            code: self.code.as_str(),
            detail: self.detail.as_deref().map(str::to_owned),
            errors: self.errors.iter().map(FaultBody::from).collect(),
            findings: more.and_then(|more| more.findings.clone()),
            current: more.and_then(|more| more.current.clone()),
            conflicts: more.and_then(|more| more.conflicts.clone()),
            session_id: self.session.as_ref().map(|id| id.0),
            reason: more.and_then(|more| more.reason),
            values: more.map(|more| more.values.clone()).unwrap_or_default(),
            position: place
                .filter(|full| full.wait.whose != Whose::User)
                .map(|full| full.wait.position),
            estimated_wait_seconds: place
                .and_then(|full| full.estimate)
                .map(|estimate| estimate.as_secs()),
        }
    }
}

const ADMIN_SIGN_IN: &str = "Send `Authorization: Bearer <admin key>`: an API key (pgk_...) or the token of a sign-in (pgs_...), neither expired nor revoked. A user's JWT gives no admin rights.";
const SIGN_IN: &str = "Send `Authorization: Bearer <your user's JWT>`: unexpired, from an issuer that this tenant registered, and for its audience.";

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.title())
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut answer = HttpResponse::build(self.code.status());
        answer.insert_header((CONTENT_TYPE, "application/problem+json"));
        answer.insert_header((CACHE_CONTROL, "no-store"));
        if let Some(challenge) = self.challenge {
            answer.insert_header((WWW_AUTHENTICATE, HeaderValue::from_static(challenge)));
        }
        if let Some(methods) = &self.allow {
            answer.insert_header((ALLOW, methods.as_ref()));
        }
        if let Some(after) = self.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            answer.insert_header((RETRY_AFTER, seconds.max(1).to_string()));
        }
        if let Some((left, now)) = self.more.as_ref().and_then(|more| more.quota) {
            tell_left(&mut answer, &[left], now);
        }
        answer.body(serde_json::to_vec(&self.body()).unwrap_or_default())
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Refused(_) => Self::bad_token(),
            AuthError::NotKnownYet => Self::new(Code::Unavailable).retry_after(DEFAULT_RETRY),
            AuthError::TenantSuspended { .. } => Self::new(Code::TenantSuspended),
            AuthError::KeysUnavailable { retry_after } => Self::new(Code::KeysUnavailable)
                .detail("The keys of the token's issuer could not be fetched yet; the token was not judged.")
                .retry_after(retry_after),
            AuthError::IntrospectionUnavailable { retry_after } => Self::new(Code::IntrospectionUnavailable)
                .detail("The token's issuer did not say yet whether the token is good; the token was not judged.")
                .retry_after(retry_after),
            AuthError::TooManyRefused { retry_after } => Self::new(Code::RateLimited)
                .detail("Too many tokens from this address were refused: send none until then.")
                .retry_after(retry_after),
        }
    }
}

impl From<BodyFault> for Problem {
    fn from(fault: BodyFault) -> Self {
        let (code, detail) = match &fault {
            BodyFault::TimedOut => return Self::new(Code::BodyTimeout),
            BodyFault::BrokeOff => (Code::MalformedRequest, "The body broke off.".to_owned()),
            BodyFault::TooLarge { max_bytes } => (
                Code::BodyTooLarge,
                format!("A body may have {max_bytes} bytes at most."),
            ),
            BodyFault::MediaType { allowed } => (
                Code::UnsupportedMediaType,
                format!("Send Content-Type: {allowed}, without Content-Encoding."),
            ),
        };
        Self::new(code).detail(detail)
    }
}

impl From<JsonFault> for Problem {
    fn from(fault: JsonFault) -> Self {
        let problem = Self::new(Code::MalformedRequest);
        match fault {
            JsonFault::Number { .. } => problem
                .detail("The body has a number that would be rounded.")
                .errors(vec![fault.to_fault()]),
            fault => problem.detail(format!("The body is {}.", sentence(&fault))),
        }
    }
}

fn sentence(fault: &JsonFault) -> String {
    match fault {
        JsonFault::Duplicate { .. }
        | JsonFault::Nul { .. }
        | JsonFault::Reserved { .. }
        | JsonFault::Surrogate { .. } => format!("ambiguous: {fault}"),
        _ => fault.to_string(),
    }
}

impl From<TooMany> for Problem {
    fn from(too_many: TooMany) -> Self {
        match too_many {
            TooMany::Often { retry_after, .. } => {
                Self::new(Code::RateLimited).retry_after(retry_after)
            }
            TooMany::AtOnce {
                limit: Limit::AdminInFlight,
            } => Self::new(Code::RateLimited)
                .detail("Too many requests to the admin API are under way: wait until one of them has its answer.")
                .retry_after(DEFAULT_RETRY),
            TooMany::AtOnce { .. } => Self::new(Code::Overloaded).retry_after(DEFAULT_RETRY),
        }
    }
}

impl From<WorkError> for Problem {
    fn from(error: WorkError) -> Self {
        match error {
            WorkError::Busy => Self::new(Code::Overloaded).retry_after(DEFAULT_RETRY),
            WorkError::TooLong => Self::new(Code::Overloaded)
                .detail("It took longer than half a minute and was stopped: ask for less at once.")
                .retry_after(DEFAULT_RETRY),
            WorkError::BrokeOff => {
                tracing::error!(%error, "work was not done");
                Self::new(Code::Internal)
            }
        }
    }
}

impl From<SourceError> for Problem {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Store(error) => error.into(),
            SourceError::Unanswered => Self::new(Code::Unavailable).retry_after(DEFAULT_RETRY),
            SourceError::Work(error) => error.into(),
            SourceError::TenantGone => Self::bad_token(),
            SourceError::PolicyBroken(_) => {
                tracing::error!(%error, "a tenant's policy is broken");
                Self::new(Code::PersonaUnavailable)
                    .detail("The tenant's policy can't be read; an admin must correct it.")
            }
            SourceError::NoProviderKey | SourceError::SealBroken => {
                tracing::error!(%error, "no Anam API key");
                Self::new(Code::ProviderKeyUnavailable)
            }
            SourceError::SecretMissing(_) => {
                tracing::error!(%error, "a mint lacks a secret");
                Self::new(Code::SecretUnavailable)
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if let StoreError::Unstorable(_) = error {
            // Whatever is read at the edge is bounded there; this is the last net under it.
            tracing::warn!(%error, "a request's value came as far as the database");
            Self::new(Code::InvalidRequest).detail(UNSTORABLE)
        } else if matches!(error, StoreError::Taken) {
            tracing::warn!(%error, "an admin waited in vain");
            Self::new(Code::Overloaded)
                .detail("Other changes of this tenant are under way and take long. Nothing was changed: try again.")
                .retry_after(DEFAULT_RETRY)
        } else if error.is_transient() {
            log_not_done(&error, "the database is not available");
            Self::new(Code::Unavailable).retry_after(DEFAULT_RETRY)
        } else {
            tracing::error!(%error, "the database refused");
            Self::new(Code::Internal)
        }
    }
}

impl From<NoAdmin> for Problem {
    fn from(error: NoAdmin) -> Self {
        match error {
            NoAdmin::Refused => Self::no_admin(true),
            NoAdmin::TenantSuspended => Self::new(Code::TenantSuspended),
            NoAdmin::Missing(missing) => Self::missing(missing),
            NoAdmin::NoTenant => Self::new(Code::Forbidden).detail(
                "You are signed in to no tenant. Operators who are members of one name it when they sign in.",
            ),
            NoAdmin::Store(error) => error.into(),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound => Self::new(Code::NotFound),
            Refusal::Invalid(faults) => Self::new(Code::InvalidRequest)
                .detail(SEE_ERRORS)
                .errors(faults),
            Refusal::DocumentInvalid { faults, findings } => {
                let mut problem = Self::new(Code::DocumentInvalid)
                    .detail(SEE_ERRORS)
                    .errors(faults);
                if !findings.is_empty() {
                    let bodies = serde_json::to_value(finding_bodies(findings));
                    problem.more().findings = bodies.ok();
                }
                problem
            }
            Refusal::Exists(why) => Self::new(Code::AlreadyExists).why(&why),
            Refusal::Conflict(why) => Self::new(Code::Conflict).why(&why),
            Refusal::InUse(why) => Self::new(Code::InUse).why(&why),
            Refusal::InputsExpired(why) => Self::new(Code::InputsExpired).why(&why),
            Refusal::ApprovalMissing(why) => Self::new(Code::ApprovalMissing).why(&why),
            Refusal::Forbidden(why) => Self::new(Code::Forbidden).why(&why),
            Refusal::MergeConflict { conflicts } => {
                let mut problem = Self::new(Code::MergeConflict).detail(
                    "Both changed the members that `conflicts` lists. Say in `keep` whose value stays, such as \
                     {\"keep\": {\"/systemPrompt\": \"ours\"}}: ours is the draft's, theirs what was sealed meanwhile.",
                );
                problem.more().conflicts = Some(conflicts);
                problem
            }
            Refusal::NotRecent => Self::not_recent(),
            Refusal::Source(error) => error.into(),
            Refusal::Store(error) => error.into(),
            Refusal::Work(error) => error.into(),
            Refusal::Anam(error) => {
                tracing::warn!(code = error.code(), %error, "Anam did not answer as hoped");
                of_anam(&error)
            }
            Refusal::Seal(error) => {
                tracing::error!(%error, "a secret can't be sealed or opened");
                Self::new(Code::Internal)
            }
            Refusal::Derive(error) => {
                tracing::error!(%error, "a key can't be derived");
                Self::new(Code::Internal)
            }
            Refusal::Random(error) => {
                tracing::error!(%error, "no random bytes");
                Self::new(Code::Internal)
            }
        }
    }
}

const UNSTORABLE: &str = "The request has a text, a number or a moment that can't be stored: mind U+0000, numbers beyond 64 bits and years beyond 9999.";
const SEE_ERRORS: &str = "See errors for what to change.";

impl From<LedgerError> for Problem {
    fn from(_: LedgerError) -> Self {
        Self::new(Code::Unavailable)
            .detail("The session could not be recorded, so no token was handed out.")
            .retry_after(DEFAULT_RETRY)
    }
}

impl From<Undecided> for Problem {
    fn from(undecided: Undecided) -> Self {
        match undecided {
            Undecided::ContextUnknown { known } => {
                let known: Vec<&str> = known.iter().map(crate::domain::key::Key::as_str).collect();
                let wrong = Wrong::Unknown(known.join(", "));
                let words = if known.is_empty() {
                    wrong.worded("is unknown; the tenant has no context yet")
                } else {
                    wrong.into()
                };
                Self::new(Code::ContextUnknown).errors(vec![Fault::new("/context", words)])
            }
            Undecided::MetadataInvalid(faults) => Self::new(Code::MetadataInvalid)
                .detail("See errors for what to change; GET /v1/contexts tells what each context wants.")
                .errors(faults.into_iter().map(|fault| fault.under("/metadata")).collect()),
            Undecided::PersonaMissing(_) | Undecided::NoArm(_) | Undecided::Incomplete { .. } | Undecided::Unrendered { .. } => {
                tracing::error!(error = %undecided, "a persona can't be used");
                Self::new(Code::PersonaUnavailable).detail("The persona for this context can't be used; an admin must correct it.")
            }
        }
    }
}

/// Where the codes of failures at Anam meet the table.
pub fn of_anam(error: &AnamError) -> Problem {
    let name = error.code();
    let code = Code::ALL
        .iter()
        .copied()
        .find(|code| code.as_str() == name)
        .unwrap_or(Code::UpstreamError);
    let problem = Problem::new(code);
    match error {
        AnamError::ConcurrencyReached { retry_after }
        | AnamError::RateLimited { retry_after }
        | AnamError::Busy { retry_after } => {
            problem.retry_after(retry_after.unwrap_or(DEFAULT_RETRY))
        }
        AnamError::Paused { retry_after } => problem.retry_after(*retry_after),
        _ => problem,
    }
}
