//! People who are signed in, people who are signing in, and people who run the installation.

use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::{FutureExt, LocalBoxFuture};

use super::Problem;
use super::admin::{admin, admit_address, client_address, credential, request_id};
use super::codes::Code;
use crate::auth::SsoError;
use crate::crypto::password::HashError;
use crate::domain::fault::Fault;
use crate::domain::wrong::{Words, Wrong};
use crate::gateway::Gateway;
use crate::limits::AddressAdmitted;
use crate::store::console_sessions::{Missing, SessionRow};
use crate::tenants::invitations::AcceptError;
use crate::tenants::password_reset::{RedeemError, RequestError};
use crate::tenants::second_factor::FactorError;
use crate::tenants::sign_in::{SignInError, Visitor};
use crate::tenants::signed_in::{self, PasswordError};
use crate::tenants::sso::SsoFailure;

pub fn visitor(request: &HttpRequest) -> Visitor {
    Visitor {
        address: client_address(request),
        request_id: request_id(request),
    }
}

/// Somebody who is signed in, whatever they may. Not for keys: these are matters of the person.
#[derive(Debug)]
pub struct Person {
    session: SessionRow,
    _admitted: Option<AddressAdmitted>,
}

impl Deref for Person {
    type Target = SessionRow;

    fn deref(&self) -> &SessionRow {
        &self.session
    }
}

impl FromRequest for Person {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move {
            let Arriving(person) = Arriving::extract(&request).await?;
            match person.session.missing() {
                None => Ok(person),
                Some(missing) => Err(Problem::missing(missing)),
            }
        }
        .boxed_local()
    }
}

/// Somebody who is signed in, but may still owe a second factor: only for what they do about it, and to see or leave their session.
#[derive(Debug)]
pub struct Arriving(Person);

impl Arriving {
    /// Refuses somebody who has a second factor, and has not shown it in this session.
    pub fn refuse_without_code(&self) -> Result<(), Problem> {
        match self.session.missing() {
            Some(Missing::Code) => Err(Problem::missing(Missing::Code)),
            _ => Ok(()),
        }
    }
}

impl Deref for Arriving {
    type Target = Person;

    fn deref(&self) -> &Person {
        &self.0
    }
}

impl FromRequest for Arriving {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move {
            let (session, admitted) = person(&request).await?;
            let session = session.ok_or_else(|| {
                Problem::new(Code::Forbidden)
                    .detail("This is for people who are signed in, not for API keys.")
            })?;
            Ok(Self(Person {
                session,
                _admitted: admitted,
            }))
        }
        .boxed_local()
    }
}

/// Somebody who runs the installation, and signed in with their password.
#[derive(Debug)]
pub struct Operator {
    session: SessionRow,
    request_id: Option<String>,
    _admitted: Option<AddressAdmitted>,
}

impl Operator {
    /// As what they act in the verbs of operators.
    pub fn acting<'a>(
        &'a self,
        gateway: &'a Gateway,
        label: &'a str,
    ) -> crate::tenants::operators::Operator<'a> {
        crate::tenants::operators::Operator {
            database: &gateway.database,
            clock: &gateway.clock,
            label,
            request_id: self.request_id.as_deref(),
        }
    }

    /// Their session.
    pub fn session(&self) -> &SessionRow {
        &self.session
    }

    /// As the audit trail says it.
    pub fn label(&self) -> String {
        signed_in::actor_of(&self.session).label
    }
}

impl FromRequest for Operator {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move {
            match person(&request).await? {
                (Some(session), _) if session.missing().is_some() => {
                    Err(session.missing().map_or_else(|| Problem::new(Code::Forbidden), Problem::missing))
                }
                (Some(session), admitted) if signed_in::is_operator(&session) => Ok(Self {
                    session,
                    request_id: request_id(&request),
                    _admitted: admitted,
                }),
                _ => Err(Problem::new(Code::Forbidden).detail(
                    "This is for operators, signed in with their password: `persona-gateway admin create --operator` makes one.",
                )),
            }
        }
        .boxed_local()
    }
}

/// The session of the request's token; none where it is a good API key. No tenant need be known, so the request counts as
/// one of its address.
async fn person(
    request: &HttpRequest,
) -> Result<(Option<SessionRow>, Option<AddressAdmitted>), Problem> {
    let token = credential(request)?;
    let gateway = request
        .app_data::<web::Data<Gateway>>()
        .ok_or_else(|| Problem::new(Code::Internal))?;
    let admitted = admit_address(request, gateway).await?;
    if let Some(session) = signed_in::find(gateway, &token).await? {
        return Ok((Some(session), admitted));
    }
    drop(admitted);
    admin(request).await.map(|_key| (None, None))
}

const WRONG: &str = "The e-mail address or the password is wrong, or the account may not sign in. After several tries from one address, wait a minute.";

impl From<SignInError> for Problem {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Refused(_) => Self::sign_in_failed(WRONG),
            SignInError::WhichTenant(known) => {
                let text = format!("must be one of {}", known.join(", "));
                let message = Wrong::one_of(&known).worded(text);
                Self::new(Code::InvalidRequest)
                    .detail("See errors for what to change.")
                    .errors(vec![Fault::new("/tenant", message)])
            }
            SignInError::Suspended => Self::new(Code::TenantSuspended),
            SignInError::TooMany(too_many) => too_many.into(),
            SignInError::Hash(HashError::Busy) => {
                Self::new(Code::Overloaded).retry_after(std::time::Duration::from_secs(2))
            }
            SignInError::Hash(HashError::Failed) | SignInError::NoRandomness(_) => {
                tracing::error!(%error, "sign-in fails");
                Self::new(Code::Internal)
            }
            SignInError::Store(error) => error.into(),
        }
    }
}

impl From<AcceptError> for Problem {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::NoInvitation => Self::new(Code::NotFound).detail(
                "There is no such invitation: it was used, taken back, or is older than seven days. Ask for a new one.",
            ),
            AcceptError::Invalid(faults) => Self::new(Code::InvalidRequest)
                .detail("See errors for what to change.")
                .errors(faults),
            AcceptError::SignIn(SignInError::Refused(_)) => Self::sign_in_failed(
                "There is an account with this e-mail address: send its password. Whoever runs the installation can set another.",
            ),
            AcceptError::SignIn(error) => error.into(),
        }
    }
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::NoMail => Self::new(Code::Conflict).why(&Wrong::NoMailSent.into()),
            RequestError::SignIn(error) => error.into(),
        }
    }
}

impl From<FactorError> for Problem {
    fn from(error: FactorError) -> Self {
        match error {
            FactorError::Wrong => Self::new(Code::InvalidRequest)
                .detail("See errors for what to change.")
                .errors(vec![Fault::new("/code", Wrong::FactorCode)]),
            FactorError::Conflict(why) => Self::new(Code::Conflict).why(&why.into()),
            FactorError::SignIn(SignInError::Refused(_)) => Self::new(Code::InvalidRequest)
                .detail("See errors for what to change.")
                .errors(vec![Fault::new("/password", Wrong::OtherPassword)]),
            FactorError::SignIn(error) => error.into(),
            FactorError::Totp(_) | FactorError::Seal(_) => {
                tracing::error!(%error, "a second factor can't be read");
                Self::new(Code::Internal)
            }
        }
    }
}

impl From<RedeemError> for Problem {
    fn from(error: RedeemError) -> Self {
        match error {
            RedeemError::NoLink => Self::new(Code::NotFound).detail(
                "There is no such link: it was used, has expired, or another password was set since. Ask for a new one.",
            ),
            RedeemError::Password(bad) => Self::new(Code::InvalidRequest)
                .detail("See errors for what to change.")
                .errors(vec![Fault::new("/password", bad.to_words())]),
            RedeemError::SignIn(error) => error.into(),
        }
    }
}

impl From<PasswordError> for Problem {
    fn from(error: PasswordError) -> Self {
        let fault = |pointer, message: Words| {
            Self::new(Code::InvalidRequest)
                .detail("See errors for what to change.")
                .errors(vec![Fault::new(pointer, message)])
        };
        match error {
            // Not 401: the session is good.
            PasswordError::Current(SignInError::Refused(_)) => {
                fault("/current", Wrong::OtherPassword.into())
            }
            PasswordError::Current(error) => error.into(),
            PasswordError::New(bad) => fault("/new", bad.to_words()),
        }
    }
}

/// Why a single sign-on was refused, as a stable word, and what somebody can do. Of accounts it says no more than their owner may know.
pub(crate) fn sso_refusal(label: &str) -> (&'static str, &'static str) {
    match label {
        "sso_code" | "sso_verifier" => (
            "code",
            "The code is wrong, was tried before, is older than three minutes, or was made for another command: begin again.",
        ),
        "sso_state" => (
            "browser",
            "This browser did not begin this sign-in, or began another one since. It must take cookies. Begin again.",
        ),
        "sso_too_late" => (
            "too_late",
            "The sign-in took longer than ten minutes: begin again.",
        ),
        "sso_not_again" => (
            "not_again",
            "The identity provider does not say that you have signed in there just now. Sign out here, and sign in with it again.",
        ),
        "sso_other_person" => (
            "other_person",
            "The identity provider says that you are somebody else than whose session this is: begin again, as the same person.",
        ),
        "sso_no_session" => (
            "no_session",
            "No identity provider vouches for you: confirm who you are with your password or a code.",
        ),
        "sso_used" => (
            "used",
            "This page was opened before, and each sign-in counts once. If you have its code, it still holds for its three minutes; else begin again.",
        ),
        "sso_denied" => (
            "denied",
            "The identity provider did not sign you in, or you said no there. If it should, ask its administrator.",
        ),
        "sso_no_membership" => (
            "no_membership",
            "You have no account in this tenant: ask one of its owners for an invitation to the address that you use at the identity provider.",
        ),
        "sso_foreign_domain" => (
            "foreign_domain",
            "The tenant does not take addresses of your domain from its identity provider: an owner can add the domain.",
        ),
        "sso_no_email" | "no_email" | "sso_bad_email" => (
            "no_email",
            "The identity provider tells no e-mail address of you. Whoever runs it can change that.",
        ),
        "sso_email_not_verified" => (
            "email_not_verified",
            "The identity provider does not say that your e-mail address was verified. Whoever runs it can change that, or an owner of the tenant trusts its addresses.",
        ),
        "sso_other_subject" => (
            "other_subject",
            "The identity provider identifies you as a different person than before: an owner of the tenant can remove you and invite you again.",
        ),
        "sso_provider_changed" => (
            "provider_changed",
            "The tenant changed its identity provider meanwhile: begin again.",
        ),
        _ => (
            "other",
            "The single sign-on did not succeed: begin again. If it keeps failing, the gateway's operator finds the reason in the log.",
        ),
    }
}

impl From<SsoFailure> for Problem {
    fn from(failure: SsoFailure) -> Self {
        match failure {
            SsoFailure::NoProvider => Self::new(Code::NotFound).detail(
                "There is no single sign-on here: check the tenant's name. An owner of the tenant sets it up.",
            ).reason("no_provider"),
            SsoFailure::Provider(SsoError::Refused(label))
            | SsoFailure::SignIn(SignInError::Refused(label)) => {
                let (reason, words) = sso_refusal(label);
                Self::sign_in_failed(words).reason(reason)
            }
            SsoFailure::Provider(error) => Self::new(Code::IdentityProviderUnavailable)
                .detail(format!("In short: {error}."))
                .retry_after(std::time::Duration::from_secs(10)),
            SsoFailure::SignIn(error) => error.into(),
            SsoFailure::Seal(error) => {
                tracing::error!(%error, "a secret can't be opened");
                Self::new(Code::Internal)
            }
        }
    }
}
