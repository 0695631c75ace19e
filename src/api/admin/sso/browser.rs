//! The way of a browser to the tenant's identity provider and back, and the pages that end it.

use std::ops::Deref;

use actix_web::cookie::time::Duration;
use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::http::{Method, StatusCode};
use actix_web::web;
use actix_web::{HttpRequest, HttpResponse};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use crate::api::admin::sign_in::SignedInBody;
use crate::domain::fault::Fault;
use crate::domain::wrong::Wrong;
use crate::gateway::Gateway;
use crate::tenants::refusal::Refusal;
use crate::tenants::sign_in::{MAX_SECRET_BYTES, Visitor};
use crate::tenants::sso::browser_flow::{self, PATIENCE, ProviderCallback, SsoOutcome, Wish};
use crate::tenants::sso::code::{self, Program, VouchedPerson};
use crate::web::Problem;
use crate::web::codes::Code;
use crate::web::html::{escape, page, problem_page, wants_page};
use crate::web::input::{Member, Schemas, Secret, input};
use crate::web::operation::{
    Answer, Body, Described, Intake, Json, Output, Part, PartialQuery, Path, Query, TenantName,
    operations,
};
use crate::web::own_address::OwnAddress;
use crate::web::work::Ready;

operations! {
    "Admin: access";

    "/v1/admin/sso/{tenant:[^/]+}/start" {
        /// Sends the browser to the tenant's identity provider. Open this address in a browser. A program that acts for the person
        /// who signs in sends a challenge (RFC 7636), and the address where it listens (RFC 8252).
        GET startSso => start;
    }
    "/v1/admin/sso/{tenant:[^/]+}/callback" {
        /// Receives the browser from the identity provider, and signs the person in. If a program began, the answer is a page with
        /// a code for it. Otherwise a browser (which accepts `text/html`) gets a page that opens no session, and other clients get
        /// the token.
        GET finishSso => callback;
    }
    "/v1/admin/sso/{tenant:[^/]+}/code" {
        /// Exchanges the code of the last page for a token. A code works once.
        POST exchangeSsoCode => exchange;
    }
}

/// The browser. HEAD is refused: each step is taken once, and not by who only looks whether it is there.
struct Browser(HttpRequest);

impl Deref for Browser {
    type Target = HttpRequest;

    fn deref(&self) -> &HttpRequest {
        &self.0
    }
}

impl Part for Browser {
    async fn take(intake: &mut Intake) -> Result<Self, Problem> {
        if intake.request.method() == Method::HEAD {
            return Err(Problem::new(Code::MethodNotAllowed).allow("GET"));
        }
        Ok(Self(intake.request.clone()))
    }

    fn describe(_: &mut Described<'_>) {}
}

/// Binds the way there and back to one browser.
const COOKIE: &str = "persona-gateway-sso";

fn own_address(request: &HttpRequest) -> Result<OwnAddress, Problem> {
    OwnAddress::from_request(request).ok_or_else(|| {
        Problem::new(Code::NotFound).detail(
            "There is no single sign-on at this address. Whoever runs the installation sets server.public_url: the address that the identity provider sends browsers back to.",
        )
    })
}

fn redirect_uri(own: &OwnAddress, tenant: &str) -> String {
    format!("{}/v1/admin/sso/{tenant}/callback", own.origin())
}

input! {
    /// What a program sends that wants to go on in the name of whoever signs in; a person who opens the address by hand sends none of it.
    struct StartQuery {
        /// The SHA-256 of the program's code verifier, base64url without padding. With it the last page holds a code.
        #[name("code_challenge")]
        code_challenge: Option<Text>,
        /// `S256`.
        #[name("code_challenge_method")]
        code_challenge_method: Option<Text>,
        /// Where the program listens, if it does: `http://127.0.0.1:PORT/` or `http://[::1]:PORT/`; the console names its own page.
        #[name("redirect_uri")]
        redirect_uri: Option<Text>,
        /// What the program wants to see again there: 16 to 200 characters.
        state: Option<Text>,
        /// `login`: the person has to sign in at the provider also if they are signed in there, and its ID token must say so (`auth_time`).
        /// The code of the last page then shows again who they are, in the session that they have.
        prompt: Option<Text>,
    }

    /// What the provider adds to the address.
    struct CallbackQuery {
        /// What the browser was sent with.
        state: Option<Text>,
        /// The provider's code.
        code: Option<Text>,
        /// The provider's issuer identifier (RFC 9207).
        iss: Option<Text>,
    }

    /// A code of the last page.
    struct SsoCode {
        /// As the page shows it.
        #[example("pgc_7Yd3mZ0qkq8mB1m1xw2o9dZQ3m2c0kVtN5s3uJ4pXyE")]
        code: Secret<MAX_SECRET_BYTES>,
        /// What the challenge of the start was made from.
        #[example("a-verifier-of-43-to-128-letters-digits-and-such")]
        code_verifier: Secret<MAX_SECRET_BYTES>,
    }
}

/// A text that is judged together with others.
#[derive(Debug)]
struct Text(String);

impl Member for Text {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        match value {
            Value::String(text) => Ok(Self(text)),
            _ => Err(vec![Fault::new("", Wrong::Text)]),
        }
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string" })
    }
}

fn text(member: Option<&Text>) -> Option<&str> {
    member.map(|text| text.0.as_str())
}

impl StartQuery {
    fn is_fresh(&self) -> Result<bool, Refusal> {
        match text(self.prompt.as_ref()) {
            None => Ok(false),
            Some("login") => Ok(true),
            Some(_) => Err(Refusal::fault("/prompt", Wrong::one_of(&["login"]))),
        }
    }

    fn program(&self, console: Option<&str>) -> Result<Option<Program>, Refusal> {
        let sent = [
            &self.code_challenge,
            &self.code_challenge_method,
            &self.redirect_uri,
            &self.state,
        ];
        if sent.iter().all(|member| member.is_none()) {
            return Ok(None);
        }
        if text(self.code_challenge_method.as_ref()) != Some("S256") {
            return Err(Refusal::fault(
                "/code_challenge_method",
                Wrong::one_of(&["S256"]),
            ));
        }
        Program::parse(
            text(self.code_challenge.as_ref()).unwrap_or_default(),
            text(self.redirect_uri.as_ref()),
            text(self.state.as_ref()),
            console,
        )
        .map(Some)
    }
}

/// The way to the provider.
#[derive(Debug)]
struct ProviderRedirect(HttpResponse);

impl Output for ProviderRedirect {
    fn into_response(self, _: &HttpRequest) -> HttpResponse {
        self.0
    }

    fn describe(operation: &mut Described<'_>) {
        let text = json!({ "type": "string" });
        operation.answers(
            302,
            &json!({
                "description": "To the provider",
                "headers": {
                    "Location": { "description": "The provider", "schema": text },
                    "Set-Cookie": { "description": "Binds the way there and back to this browser", "schema": text },
                },
            }),
        );
    }
}

async fn start(
    browser: Browser,
    tenant: Path<TenantName>,
    from: Visitor,
    gateway: web::Data<Gateway>,
    sent: Result<Query<StartQuery>, Problem>,
) -> Answer<ProviderRedirect> {
    let mut waits = None;
    let begun = begin(&browser, &tenant.0, from, &gateway, sent, &mut waits);
    let sent = Box::pin(begun).await;
    sent.or_else(|problem| refused(&browser, &tenant.0.0, problem, waits.as_ref()))
        .map(ProviderRedirect)
}

async fn begin(
    browser: &HttpRequest,
    TenantName(tenant): &TenantName,
    from: Visitor,
    gateway: &Gateway,
    sent: Result<Query<StartQuery>, Problem>,
    waits: &mut Option<Program>,
) -> Answer<HttpResponse> {
    let console = OwnAddress::from_request(browser).map(|own| own.console_sso());
    let sent = sent?.0;
    let is_fresh = sent.is_fresh()?;
    let program = sent.program(console.as_deref())?;
    waits.clone_from(&program);
    let own = own_address(browser)?;
    let wish = Wish {
        redirect_uri: redirect_uri(&own, tenant),
        program,
        is_fresh,
    };
    let sent = browser_flow::start(gateway, tenant, wish, &from).await?;
    Ok(HttpResponse::Found()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((LOCATION, sent.url.as_str()))
        .cookie(own.cookie(
            COOKIE,
            sent.browser.expose_secret().to_owned(),
            Some(Duration::seconds(PATIENCE.num_seconds())),
        ))
        .finish())
}

/// A problem in the form that whoever asks can read; a page leads on to the program that waits for somebody.
fn refused(
    request: &HttpRequest,
    tenant: &str,
    problem: Problem,
    waits: Option<&Program>,
) -> Answer<HttpResponse> {
    if !wants_page(request) {
        return Err(problem);
    }
    let (code, words) = (problem.code().as_str(), problem.in_words());
    let reason = problem.body().reason;
    let way_back = waits.and_then(|program| program.way_back_without(code, &words, reason));
    if let (Some(url), true) = (&way_back, waits.is_some_and(Program::is_console)) {
        // The console says it in the reader's language, in the browser that began.
        return Ok(see_other(url));
    }
    let link_back = way_back.map_or_else(String::new, |url| {
        format!(
            "<p>If you began on this computer's command line, it still waits: <a href=\"{}\">tell it</a>, so that it ends.</p>\n",
            escape(url.as_str())
        )
    });
    let again = match problem.code() {
        Code::SignInFailed | Code::IdentityProviderUnavailable => {
            let tenant: String = url::form_urlencoded::byte_serialize(tenant.as_bytes()).collect();
            format!(
                "<p><a class=\"go\" href=\"/v1/admin/sso/{}/start\">Try again</a></p>\n\
                 <p>If you came from the command line, run <kbd>persona-gateway login</kbd> again instead.</p>",
                escape(&tenant.replace('+', "%20"))
            )
        }
        _ => String::new(),
    };
    Ok(problem_page(
        request,
        &problem,
        "You are not signed in",
        &(again + &link_back),
    ))
}

/// Signed in, or a page that ends the way.
#[derive(Debug)]
struct Finished(HttpResponse);

impl Output for Finished {
    fn into_response(self, _: &HttpRequest) -> HttpResponse {
        self.0
    }

    fn describe(operation: &mut Described<'_>) {
        let signed_in = operation.schemas.output::<SignedInBody>();
        operation.answers(
            200,
            &json!({
                "description": "Signed in, or a page with a code",
                "content": {
                    "application/json": { "schema": signed_in },
                    "text/html": { "schema": { "type": "string" } },
                },
            }),
        );
    }
}

async fn callback(
    browser: Browser,
    tenant: Path<TenantName>,
    from: Visitor,
    gateway: web::Data<Gateway>,
    sent: Result<PartialQuery<CallbackQuery>, Problem>,
) -> Answer<Finished> {
    let mut waits = None;
    let finished = finish(&browser, &tenant.0, from, &gateway, sent, &mut waits);
    let came = Box::pin(finished).await;
    came.or_else(|problem| refused(&browser, &tenant.0.0, problem, waits.as_ref()))
        .map(Finished)
}

async fn finish(
    browser: &HttpRequest,
    TenantName(tenant): &TenantName,
    from: Visitor,
    gateway: &Gateway,
    sent: Result<PartialQuery<CallbackQuery>, Problem>,
    waits: &mut Option<Program>,
) -> Answer<HttpResponse> {
    let PartialQuery(CallbackQuery { state, code, iss }) = sent?;
    let own = own_address(browser)?;
    let cookie = own.cookie_of(browser, COOKIE).map(SecretString::from);
    let back = ProviderCallback {
        state: SecretString::from(state.map_or_else(String::new, |state| state.0)),
        code: code.map(|code| code.0),
        issuer: iss.map(|iss| iss.0),
        browser: cookie.unwrap_or_default(),
        from,
        shows_pages: wants_page(browser),
    };
    let came_in = browser_flow::finish(gateway, tenant, back).await;
    let came_in = came_in.map_err(|not_in| {
        *waits = not_in.program;
        Problem::from(not_in.why)
    })?;
    let mut answer = match came_in {
        SsoOutcome::Token(signed_in) => Ready::from(Json::<SignedInBody>::from(signed_in)).into(),
        SsoOutcome::VouchedPerson(vouched) => match to_console(&vouched) {
            Some(console) => console,
            None => last_page(&own, tenant, &vouched),
        },
    };
    // The way is over: the browser may forget it.
    _ = answer.add_cookie(&own.cookie(COOKIE, String::new(), Some(Duration::ZERO)));
    Ok(answer)
}

/// On to the console, if the way began there: it opens a session only in the browser that holds its verifier, so nobody need be asked.
fn to_console(vouched: &VouchedPerson) -> Option<HttpResponse> {
    let code = vouched.code.as_ref()?;
    let back = code
        .program
        .is_console()
        .then(|| code.program.way_back(&code.code))??;
    Some(see_other(&back))
}

fn see_other(url: &Url) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((LOCATION, url.as_str()))
        .finish()
}

/// The last page: on to the program that waits, or the code to take there. Not by itself: whoever looks decides whether it was them who
/// began (RFC 8252, 8.6).
fn last_page(own: &OwnAddress, slug: &str, vouched: &VouchedPerson) -> HttpResponse {
    let who = format!(
        "<p>The identity provider of <strong>{}</strong> says that you are <strong>{}</strong>. Your role there: {}.</p>",
        escape(&vouched.tenant),
        escape(&vouched.email),
        vouched.role.as_str()
    );
    let Some(code) = &vouched.code else {
        let command = format!(
            "persona-gateway login --server {} --tenant {slug}",
            own.origin()
        );
        let rest = format!(
            "<p>To work there, sign in on the command line:</p>\n<code>{}</code>\n\
             <p class=\"note\">This page opens no session. You can close it.</p>",
            escape(&command)
        );
        return page(
            StatusCode::OK,
            "You have an account here",
            &format!("{who}\n{rest}"),
        );
    };
    let shown = escape(code.code.expose_secret());
    let (title, on) = match code.program.way_back(&code.code) {
        Some(url) => (
            "Sign in on the command line?",
            format!(
                "<p>If you have just begun that on this computer, go on:</p>\n\
                 <p><a class=\"go\" href=\"{}\">Sign in</a></p>\n\
                 <p>If you began on another computer, paste this code there:</p>",
                escape(url.as_str())
            ),
        ),
        None => (
            "Your code",
            "<p>If you have just begun that, paste this code there:</p>".to_owned(),
        ),
    };
    let rest = format!(
        "<code>{shown}</code>\n\
         <p class=\"note\">The code works once, until {} UTC ({} minutes from now), and only where you began. If it is refused, it was used \
         already or is too old: begin again.</p>\n\
         <p class=\"note\">Give it to nobody: whoever asks you for it wants to act in your name. If you did not begin this yourself, close \
         this page, and nothing happens.</p>",
        code.ends.format("%H:%M"),
        code::CODE_LASTS.num_minutes()
    );
    page(StatusCode::OK, title, &format!("{who}\n{on}\n{rest}"))
}

async fn exchange(
    from: Visitor,
    tenant: Path<TenantName>,
    gateway: web::Data<Gateway>,
    sent: Body<SsoCode>,
) -> Answer<Json<SignedInBody>> {
    let sent = sent.checked()?;
    let (code, verifier) = (sent.code.into_inner(), sent.code_verifier.into_inner());
    let exchanged = code::exchange(&gateway, &tenant.0.0, &code, &verifier, &from);
    Ok(Box::pin(exchanged).await?.into())
}
