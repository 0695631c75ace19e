//! The code at the end of the way: it opens one session, once, for the program that began.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Member, SsoFailure, begin_here, counted, find};
use crate::crypto::token::{hash_token, s256, same_secret};
use crate::domain::email::Email;
use crate::domain::fault::Faults;
use crate::domain::ids::TenantId;
use crate::domain::role::Role;
use crate::domain::wrong::Wrong;
use crate::gateway::Gateway;
use crate::store::StoreError;
use crate::store::console_sessions::SessionRow;
use crate::store::sso::TakenCode;
use crate::tenants::refusal::Refusal;
use crate::tenants::sign_in::{SignInError, SignedIn, Visitor, admit_address};

pub const CODE_PREFIX: &str = "pgc_";
pub const CODE_LASTS: TimeDelta = TimeDelta::minutes(3);

/// A program that wants to go on in the name of whoever signs in (RFC 8252).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The hash of the verifier that it will show (PKCE, S256): without that, its code is worth nothing.
    pub(super) challenge: String,
    /// Where it listens, if it does.
    listener: Option<Listener>,
}

/// Where a program waits for its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Listener {
    /// A loopback address, or the console's page.
    redirect_uri: String,
    /// What the program wants to see again.
    state: String,
    /// It is the gateway's own console, in the browser that comes back.
    #[serde(default)]
    is_console: bool,
}

impl Program {
    /// What a program asks for: a challenge, and if it listens a loopback address with a port and a state. `console` is the address
    /// where the gateway's own console waits; there is none where the gateway does not know its address.
    pub fn parse(
        challenge: &str,
        redirect_uri: Option<&str>,
        state: Option<&str>,
        console: Option<&str>,
    ) -> Result<Self, Refusal> {
        let mut faults = Faults::new();
        if !is_opaque(challenge) || challenge.len() != 43 {
            faults.add("/code_challenge", Wrong::Challenge);
        }
        let may_wait = |address| is_loopback(address) || Some(address) == console;
        if redirect_uri.is_some_and(|address| !may_wait(address)) {
            faults.add("/redirect_uri", Wrong::Loopback);
        }
        if state.is_some_and(|state| !is_opaque(state) || !(16..=200).contains(&state.len())) {
            let (least, most) = (16, 200);
            faults.add("/state", Wrong::Opaque { least, most });
        }
        let listener = match (redirect_uri, state) {
            (None, None) => None,
            (Some(redirect_uri), Some(state)) => Some(Listener {
                redirect_uri: redirect_uri.to_owned(),
                state: state.to_owned(),
                is_console: Some(redirect_uri) == console,
            }),
            (Some(_), None) => {
                faults.add(
                    "/state",
                    Wrong::Missing.worded("is missing: redirect_uri needs it"),
                );
                None
            }
            (None, Some(_)) => {
                faults.add(
                    "/redirect_uri",
                    Wrong::Missing.worded("is missing: state is sent there"),
                );
                None
            }
        };
        faults
            .into_result(Self {
                challenge: challenge.to_owned(),
                listener,
            })
            .map_err(Refusal::Invalid)
    }

    /// Where its code is brought, if it listens.
    pub fn way_back(&self, code: &SecretString) -> Option<Url> {
        self.listener_url(&[("code", code.expose_secret())])
    }

    /// The address that reports a failed sign-in to a program that listens: an error code and a description (RFC 6749, 4.1.2.1), and why, as
    /// a stable word, where there is one.
    pub fn way_back_without(&self, error: &str, words: &str, reason: Option<&str>) -> Option<Url> {
        let mut members = vec![("error", error), ("error_description", words)];
        members.extend(reason.map(|reason| ("reason", reason)));
        self.listener_url(&members)
    }

    /// Whether it is the gateway's own console that waits, in the browser that comes back.
    pub fn is_console(&self) -> bool {
        self.listener
            .as_ref()
            .is_some_and(|listener| listener.is_console)
    }

    fn listener_url(&self, what: &[(&str, &str)]) -> Option<Url> {
        let listener = self.listener.as_ref()?;
        let mut url = Url::parse(&listener.redirect_uri).ok()?;
        url.query_pairs_mut()
            .extend_pairs(what)
            .append_pair("state", &listener.state);
        Some(url)
    }
}

fn is_opaque(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~'))
}

fn is_loopback(address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| {
        url.scheme() == "http"
            && matches!(url.host_str(), Some("127.0.0.1" | "[::1]"))
            && url.port().is_some_and(|port| port >= 1024)
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
            // Character for character, so that nothing in it reads otherwise elsewhere.
            && url.as_str() == address
            && address.len() <= 200
    })
}

/// A code that opens one session, once.
#[derive(Debug)]
pub struct SignInCode {
    /// Returned once; only its hash is stored.
    pub code: SecretString,
    pub ends: DateTime<Utc>,
    /// The program that waits for it.
    pub program: Program,
}

/// Whom the provider vouches for, as a page may tell them.
#[derive(Debug)]
pub struct VouchedPerson {
    pub email: String,
    /// The tenant's name for people.
    pub tenant: String,
    pub role: Role,
    /// What opens a session, where a program began; nobody else gets one.
    pub code: Option<SignInCode>,
}

/// Opens the session of a code. A code is good for one try, and for whoever began.
pub async fn exchange(
    gateway: &Gateway,
    slug: &str,
    code: &SecretString,
    verifier: &SecretString,
    from: &Visitor,
) -> Result<SignedIn, SsoFailure> {
    let outcome = open_with_code(gateway, slug, code, verifier, from).await;
    counted(gateway, outcome, |_| true)
}

/// Takes a code of a new sign-in at the provider as proof that whoever has the session is still its person.
pub async fn prove_again(
    gateway: &Gateway,
    session: &SessionRow,
    code: &SecretString,
    verifier: &SecretString,
    from: &Visitor,
) -> Result<(), SsoFailure> {
    let outcome = confirm_with_code(gateway, session, code, verifier, from).await;
    counted(gateway, outcome, |()| false)
}

async fn confirm_with_code(
    gateway: &Gateway,
    session: &SessionRow,
    code: &SecretString,
    verifier: &SecretString,
    from: &Visitor,
) -> Result<(), SsoFailure> {
    admit_address(gateway, from).map_err(SignInError::from)?;
    let tenant = session.tenant.as_ref().filter(|_| session.by_sso);
    let tenant = tenant.ok_or(SignInError::Refused("sso_no_session"))?;
    let taken = take(gateway, tenant.id, code, verifier).await?;
    if taken.email != session.email {
        return Err(SignInError::Refused("sso_other_person").into());
    }
    if !taken.is_fresh {
        return Err(SignInError::Refused("sso_not_again").into());
    }
    let mut tx = gateway.database.platform().await?;
    tx.mark_proven(&session.hash, gateway.clock.now(), false)
        .await?;
    tx.commit().await?;
    Ok(())
}

async fn open_with_code(
    gateway: &Gateway,
    slug: &str,
    code: &SecretString,
    verifier: &SecretString,
    from: &Visitor,
) -> Result<SignedIn, SsoFailure> {
    admit_address(gateway, from).map_err(SignInError::from)?;
    let (tenant, provider) = find(gateway, slug).await?;
    let taken = take(gateway, tenant.id, code, verifier).await?;
    let email = Email::parse(&taken.email)
        .map_err(|error| StoreError::Unreadable(format!("a code's address {error}")))?;
    let mut tx = gateway.database.tenant(tenant.id).await?;
    let person = tx.lock_person(&email).await?;
    let membership = match &person {
        Some(person) => tx.membership(person.id).await?,
        None => None,
    };
    tx.commit().await?;
    let (Some(person), Some(membership)) = (person, membership) else {
        return Err(SignInError::Refused("sso_no_membership").into());
    };
    if person.disabled {
        return Err(SignInError::Refused("disabled").into());
    }
    let member = Member {
        person: person.id,
        email: &email,
        role: membership.role,
    };
    begin_here(gateway, tenant, &provider, &member, from).await
}

/// Takes a code for good, whatever comes of it, and gives whom it is for to whoever shows its verifier.
async fn take(
    gateway: &Gateway,
    tenant: TenantId,
    code: &SecretString,
    verifier: &SecretString,
) -> Result<TakenCode, SsoFailure> {
    let mut tx = gateway.database.tenant(tenant).await?;
    let taken = tx
        .take_sso_code(&hash_token(code), gateway.clock.now())
        .await?;
    tx.commit().await?;
    let taken = taken.ok_or(SignInError::Refused("sso_code"))?;
    let (wanted, given) = (&taken.challenge, s256(verifier));
    if !same_secret(&wanted.clone().into(), &given.into()) {
        return Err(SignInError::Refused("sso_verifier").into());
    }
    Ok(taken)
}
