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
use crate::gateway::Gateway;
use crate::limits::AddressAdmitted;
use crate::store::console_sessions::SessionRow;
use crate::tenants::invitations::AcceptError;
use crate::tenants::sign_in::{SignInError, Visitor};
use crate::tenants::signed_in::{self, PasswordError};
use crate::tenants::sso::SsoFailure;

/// Where a request comes from.
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
            let (session, admitted) = person(&request).await?;
            let session = session.ok_or_else(|| {
                Problem::new(Code::Forbidden)
                    .detail("This is for people who are signed in, not for API keys.")
            })?;
            Ok(Self {
                session,
                _admitted: admitted,
            })
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
                let message = format!("must be one of {}", known.join(", "));
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
                tracing::error!(%error, "nobody can sign in");
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

impl From<PasswordError> for Problem {
    fn from(error: PasswordError) -> Self {
        let fault = |pointer, message: String| {
            Self::new(Code::InvalidRequest)
                .detail("See errors for what to change.")
                .errors(vec![Fault::new(pointer, message)])
        };
        match error {
            // Not 401: the session is good.
            PasswordError::Current(SignInError::Refused(_)) => {
                fault("/current", "is not the password of this account".into())
            }
            PasswordError::Current(error) => error.into(),
            PasswordError::New(bad) => fault("/new", bad.to_string()),
        }
    }
}

impl From<SsoFailure> for Problem {
    fn from(failure: SsoFailure) -> Self {
        match failure {
            SsoFailure::NoProvider => Self::new(Code::NotFound),
            SsoFailure::Provider(SsoError::Refused(_))
            | SsoFailure::SignIn(SignInError::Refused(_)) => Self::sign_in_failed(
                "The single sign-on did not succeed: begin again. If it keeps failing, an owner of the tenant can look at the log's reason.",
            ),
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
