//! Sign-in with the tenant's identity provider. The console is a program like the command line (RFC 8252): it shows a challenge when it
//! begins, and the code at the end is worth something only in the browser that holds the verifier.

use actix_web::HttpResponse;
use actix_web::cookie::time::Duration;
use actix_web::http::header::{HeaderValue, REFRESH};
use actix_web::http::{Method, StatusCode};
use askama::Template;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;

use super::api::{Refused, encode};
use super::frame::{Frame, page};
use super::visit::{Answer, Form, Signed, Visitor, own_path, see};
use crate::crypto::token::{random_token, s256, same_secret};

/// Holds the state, the verifier and the page that somebody wanted, until they come back.
const COOKIE: &str = "persona-gateway-console-sso";

/// How long somebody may take at the provider.
const PATIENCE: Duration = Duration::minutes(10);

/// The most bytes of the page's address: cookies take 4 kB, and each byte may take three.
const LONGEST_NEXT: usize = 1_000;

#[derive(Debug, Deserialize)]
struct Session {
    token: String,
}

/// The page at the end of the way of somebody who has shown again who they are: the form that wanted it waits where they were.
#[derive(Debug, Template)]
#[template(path = "own/confirmed.html")]
struct ConfirmedPage {
    frame: Frame,
}

/// The page from which the browser goes on to the provider by itself. A redirect would not do: the policy of the page with the form allows no
/// form to be sent to another origin, which in some browsers goes for where a sent form is redirected to.
#[derive(Debug, Template)]
#[template(path = "sso_way.html")]
struct WayPage {
    frame: Frame,
    start: String,
}

/// What a browser holds until it comes back.
#[derive(Debug)]
struct Held {
    tenant: String,
    state: String,
    verifier: String,
    then: Then,
}

/// What the way is for.
#[derive(Debug)]
enum Then {
    /// To open a session, and this page of it.
    Open(String),
    /// To show again who they are, in the session that they have.
    Confirm,
}

impl Held {
    fn write(&self) -> String {
        let Self {
            tenant,
            state,
            verifier,
            then,
        } = self;
        let then = match then {
            Then::Open(page) => page,
            Then::Confirm => "",
        };
        encode(&format!("{tenant} {state} {verifier} {then}"))
    }

    fn read(cookie: &str) -> Option<Self> {
        let held = percent_encoding::percent_decode_str(cookie).decode_utf8_lossy();
        let mut parts = held.split(' ').map(str::to_owned);
        let (tenant, state, verifier) = (parts.next()?, parts.next()?, parts.next()?);
        let then = match parts.next()? {
            none if none.is_empty() => Then::Confirm,
            page => Then::Open(own_path(Some(page))),
        };
        Some(Self {
            tenant,
            state,
            verifier,
            then,
        })
    }
}

/// Sends the browser to the provider of the tenant that somebody named.
pub async fn begin(visitor: Visitor, sent: Form) -> Answer {
    let next = Some(sent.get("next").to_owned());
    let next = own_path(next.filter(|next| next.len() <= LONGEST_NEXT));
    set_out(&visitor, sent.get("tenant").trim(), Then::Open(next))
}

/// Sends the browser to the provider that vouches for somebody, to have them sign in there anew.
pub async fn confirm(signed: Signed, _sent: Form) -> Answer {
    let tenant = signed.account.tenant.clone().unwrap_or_default();
    set_out(&signed, &tenant, Then::Confirm)
}

fn set_out(visitor: &Visitor, tenant: &str, then: Then) -> Answer {
    let random = || {
        random_token("").map_err(|error| {
            tracing::error!(%error, "no sign-in without random numbers");
            Refused::own(StatusCode::INTERNAL_SERVER_ERROR, "internal", "")
        })
    };
    let (state, verifier) = (random()?, random()?);
    let prompt = match then {
        Then::Open(_) => "",
        Then::Confirm => "&prompt=login",
    };
    let start = format!(
        "/v1/admin/sso/{}/start?code_challenge={}&code_challenge_method=S256&redirect_uri={}&state={}{prompt}",
        encode(tenant),
        encode(&s256(&verifier)),
        encode(&visitor.own().console_sso()),
        encode(state.expose_secret()),
    );
    let mut answer = page(&WayPage {
        frame: Frame::bare(visitor, visitor.texts.say("sso-way")),
        start: start.clone(),
    });
    if let Ok(refresh) = HeaderValue::try_from(format!("0; url={start}")) {
        answer.headers_mut().insert(REFRESH, refresh);
    }
    let held = Held {
        tenant: tenant.to_owned(),
        state: state.expose_secret().to_owned(),
        verifier: verifier.expose_secret().to_owned(),
        then,
    };
    let cookie = visitor.own().cookie(COOKIE, held.write(), Some(PATIENCE));
    _ = answer.add_cookie(&cookie);
    Ok(answer)
}

/// Opens the session of somebody who comes back, or confirms that it is they who have it.
pub async fn finish(visitor: Visitor) -> Answer {
    come_back(&visitor)
        .await
        .map_err(|refused| refused.headed("sign-in"))
}

async fn come_back(visitor: &Visitor) -> Answer {
    let lost = || {
        Refused::own(
            StatusCode::BAD_REQUEST,
            "sso_lost",
            visitor.texts.say("sso-lost"),
        )
    };
    let held = visitor.other_cookie(COOKIE).ok_or_else(lost)?;
    let held = Held::read(&held).ok_or_else(lost)?;
    let told = visitor.parameter("state").unwrap_or_default();
    if !same_secret(&told.into(), &held.state.into()) {
        return Err(lost());
    }
    if let Some(words) = visitor.parameter("error_description") {
        let code = visitor.parameter("error");
        let is_known = |code: &str| visitor.texts.find(&format!("problem-{code}")).is_some();
        let code = code.filter(|code| is_known(code));
        let refused = Refused::own(
            StatusCode::FORBIDDEN,
            code.as_deref().unwrap_or("sign_in_failed"),
            words,
        );
        return Err(refused.because(visitor.parameter("reason")));
    }
    let code = visitor.parameter("code").unwrap_or_default();
    let refused = |refused: Refused| {
        if refused.is_signed_out() {
            not_in(&refused)
        } else {
            refused
        }
    };
    let mut answer: HttpResponse = match held.then {
        Then::Open(next) => {
            let path = format!("/v1/admin/sso/{}/code", encode(&held.tenant));
            let sent = json!({ "code": code, "codeVerifier": held.verifier });
            let session = visitor.api.post::<Session>(&path, &sent).await;
            let mut answer = see(&next);
            _ = answer.add_cookie(&visitor.cookie(&session.map_err(refused)?.token));
            answer
        }
        Then::Confirm => {
            let proof = json!({ "ssoCode": code, "codeVerifier": held.verifier });
            let call = visitor.api.call(Method::POST, "/v1/admin/account:confirm");
            call.body(&proof).answered().await.map_err(refused)?;
            page(&ConfirmedPage {
                frame: Frame::bare(visitor, visitor.texts.say("confirmed")),
            })
        }
    };
    let over = visitor
        .own()
        .cookie(COOKIE, String::new(), Some(Duration::ZERO));
    _ = answer.add_cookie(&over);
    Ok(answer)
}

/// Not 401, after which the console asks to sign in: somebody just tried.
fn not_in(refused: &Refused) -> Refused {
    let words = refused.detail.as_str();
    Refused::own(StatusCode::FORBIDDEN, &refused.code, words).because(refused.reason.clone())
}
