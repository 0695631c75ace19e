//! The way of a browser to the tenant's identity provider and back, and the pages that end it.

use actix_web::cookie::{Cookie, SameSite, time};
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HOST, LOCATION};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use crate::api::admin::sign_in::{SignedInBody, secret, signed_in_answer};
use crate::api::admin::{checked, read_members};
use crate::api::answers::{Creating, SigningOn};
use crate::api::only;
use crate::domain::members::Members;
use crate::gateway::Gateway;
use crate::tenants::refusal::Refusal;
use crate::tenants::sso::code::{self, Program, Vouched};
use crate::tenants::sso::way::{self, CameBack, CameIn, PATIENCE};
use crate::web::Problem;
use crate::web::body::AdminBodyLimits;
use crate::web::codes::Code;
use crate::web::cors::OwnOrigin;
use crate::web::html::{escape, page, problem_page, wants_page};
use crate::web::page::query;
use crate::web::people::visitor;

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(only(
            web::resource("/v1/admin/sso/{tenant}/start").route(web::get().to(start)),
            "GET",
        ))
        .service(only(
            web::resource("/v1/admin/sso/{tenant}/callback").route(web::get().to(callback)),
            "GET",
        ))
        .service(only(
            web::resource("/v1/admin/sso/{tenant}/code").route(web::post().to(exchange)),
            "POST",
        ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(start, callback, exchange))]
pub struct Doc;

/// The name of the cookie that binds the way there and back to one browser, and whether it needs https.
struct OwnAddress {
    origin: String,
    secure: bool,
}

impl OwnAddress {
    /// As configured; else what the request names, but only on this machine: a name that somebody sends is not to be trusted
    /// with where codes go.
    fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let configured = request
            .app_data::<web::Data<OwnOrigin>>()
            .and_then(|own| own.0.clone());
        if let Some(origin) = configured {
            let secure = origin.starts_with("https://");
            return Ok(Self { origin, secure });
        }
        let host = request
            .headers()
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, _port)| name);
        if matches!(name, "localhost" | "127.0.0.1" | "[::1]") {
            return Ok(Self {
                origin: format!("http://{host}"),
                secure: false,
            });
        }
        Err(Problem::new(Code::NotFound).detail(
            "There is no single sign-on at this address. Whoever runs the installation sets server.public_url: the address that the identity provider sends browsers back to.",
        ))
    }

    fn cookie_name(&self) -> &'static str {
        if self.secure {
            "__Host-persona-gateway-sso"
        } else {
            "persona-gateway-sso"
        }
    }

    fn cookie(&self, value: String, seconds: i64) -> Cookie<'static> {
        Cookie::build(self.cookie_name(), value)
            .path("/")
            .http_only(true)
            .secure(self.secure)
            // Lax: it must come along when the provider's page sends the browser back.
            .same_site(SameSite::Lax)
            .max_age(time::Duration::seconds(seconds))
            .finish()
    }

    fn redirect_uri(&self, tenant: &str) -> String {
        format!("{}/v1/admin/sso/{tenant}/callback", self.origin)
    }
}

/// What a program asks for that wants to go on in the name of whoever signs in; a person who opens the address by hand sends none of it.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct StartQuery {
    /// The SHA-256 of the program's code verifier, base64url without padding. With it the last page holds a code.
    code_challenge: Option<String>,
    /// `S256`.
    code_challenge_method: Option<String>,
    /// Where the program listens, if it does: `http://127.0.0.1:PORT/` or `http://[::1]:PORT/`.
    redirect_uri: Option<String>,
    /// What the program wants to see again there: 16 to 200 characters.
    state: Option<String>,
}

impl StartQuery {
    fn program(&self) -> Result<Option<Program>, Refusal> {
        let sent = [
            &self.code_challenge,
            &self.code_challenge_method,
            &self.redirect_uri,
            &self.state,
        ];
        if sent.iter().all(|member| member.is_none()) {
            return Ok(None);
        }
        if self.code_challenge_method.as_deref() != Some("S256") {
            return Err(Refusal::fault("/code_challenge_method", "must be S256"));
        }
        Program::parse(
            self.code_challenge.as_deref().unwrap_or_default(),
            self.redirect_uri.as_deref(),
            self.state.as_deref(),
        )
        .map(Some)
    }
}

/// Sends the browser to the tenant's identity provider. Open it in a browser: it comes back by itself. A program that wants to go on in
/// the name of whoever signs in sends a challenge (RFC 7636), and where it listens (RFC 8252).
#[utoipa::path(
    get, path = "/v1/admin/sso/{tenant}/start", tag = "Admin: access", operation_id = "startSso",
    params(("tenant" = String, Path, description = "The tenant's name in URLs"), StartQuery),
    responses(
        (status = 302, description = "To the provider", headers(("Location" = String, description = "The provider"), ("Set-Cookie" = String, description = "Binds the way there and back to this browser"))),
        SigningOn,
    )
)]
async fn start(
    request: HttpRequest,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let mut waits = None;
    let sent = Box::pin(begin(&request, &path, &gateway, &mut waits)).await;
    sent.or_else(|problem| refused(&request, &path, problem, waits.as_ref()))
}

async fn begin(
    request: &HttpRequest,
    tenant: &str,
    gateway: &Gateway,
    waits: &mut Option<Program>,
) -> Result<HttpResponse, Problem> {
    let from = visitor(request);
    let program = query::<StartQuery>(request)?.program()?;
    waits.clone_from(&program);
    let own = OwnAddress::of(request)?;
    let sent = way::start(gateway, tenant, &own.redirect_uri(tenant), program, &from).await?;
    Ok(HttpResponse::Found()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((LOCATION, sent.url.as_str()))
        .cookie(own.cookie(
            sent.browser.expose_secret().to_owned(),
            PATIENCE.num_seconds(),
        ))
        .finish())
}

/// A problem in the form that whoever asks can read; a page leads on to the program that waits for somebody.
fn refused(
    request: &HttpRequest,
    tenant: &str,
    problem: Problem,
    waits: Option<&Program>,
) -> Result<HttpResponse, Problem> {
    if !wants_page(request) {
        return Err(problem);
    }
    let (code, words) = (problem.code().as_str(), problem.in_words());
    let way_back = waits.and_then(|program| program.way_back_without(code, &words));
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

/// What the provider adds to the address. Providers may add more, so unknown members pass.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct CallbackQuery {
    /// What the browser was sent with.
    state: Option<String>,
    /// The provider's code.
    code: Option<String>,
    /// The provider's issuer identifier (RFC 9207).
    iss: Option<String>,
}

/// Where the identity provider sends the browser back to: lets in whom it vouches for. Where a program began, the answer is a page with a
/// code for it. Else a browser, which says that it takes `text/html`, gets a page that opens no session; others get the token.
#[utoipa::path(
    get, path = "/v1/admin/sso/{tenant}/callback", tag = "Admin: access", operation_id = "finishSso",
    params(("tenant" = String, Path, description = "The tenant's name in URLs"), CallbackQuery),
    responses(
        (status = 200, description = "Signed in, or a page with a code", content((SignedInBody = "application/json"), (String = "text/html"))),
        SigningOn,
    )
)]
async fn callback(
    request: HttpRequest,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let mut waits = None;
    let came = Box::pin(finish(&request, &path, &gateway, &mut waits)).await;
    came.or_else(|problem| refused(&request, &path, problem, waits.as_ref()))
}

async fn finish(
    request: &HttpRequest,
    tenant: &str,
    gateway: &Gateway,
    waits: &mut Option<Program>,
) -> Result<HttpResponse, Problem> {
    let from = visitor(request);
    let asked: CallbackQuery = query(request)?;
    let own = OwnAddress::of(request)?;
    let browser = request
        .cookie(own.cookie_name())
        .map(|cookie| SecretString::from(cookie.value()));
    let back = CameBack {
        state: SecretString::from(asked.state.unwrap_or_default()),
        code: asked.code,
        issuer: asked.iss,
        browser: browser.unwrap_or_default(),
        from,
        shows_pages: wants_page(request),
    };
    let came_in = way::finish(gateway, tenant, back).await;
    let came_in = came_in.map_err(|not_in| {
        *waits = not_in.program;
        Problem::from(not_in.why)
    })?;
    let mut answer = match came_in {
        CameIn::Token(signed_in) => signed_in_answer(signed_in),
        CameIn::Vouched(vouched) => last_page(&own, tenant, &vouched),
    };
    // The way is over: the browser may forget it.
    _ = answer.add_cookie(&own.cookie(String::new(), 0));
    Ok(answer)
}

/// The last page: on to the program that waits, or the code to take there. Not by itself: whoever looks decides whether it was them who
/// began (RFC 8252, 8.6).
fn last_page(own: &OwnAddress, slug: &str, vouched: &Vouched) -> HttpResponse {
    let who = format!(
        "<p>The identity provider of <strong>{}</strong> says that you are <strong>{}</strong>. Your role there: {}.</p>",
        escape(&vouched.tenant),
        escape(&vouched.email),
        vouched.role.as_str()
    );
    let Some(code) = &vouched.code else {
        let command = format!(
            "persona-gateway login --server {} --tenant {slug}",
            own.origin
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

/// A code of the last page.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CodeBody {
    /// As the page shows it.
    #[schema(
        example = "pgc_7Yd3mZ0qkq8mB1m1xw2o9dZQ3m2c0kVtN5s3uJ4pXyE",
        max_length = 1024
    )]
    code: String,
    /// What the challenge of the start was made from.
    #[schema(
        example = "a-verifier-of-43-to-128-letters-digits-and-such",
        max_length = 1024
    )]
    code_verifier: String,
}

/// Gives the code of the last page for a token. A code is good for one try.
#[utoipa::path(
    post, path = "/v1/admin/sso/{tenant}/code", tag = "Admin: access", operation_id = "exchangeSsoCode",
    params(("tenant" = String, Path, description = "The tenant's name in URLs")),
    request_body(content = CodeBody, content_type = "application/json"),
    responses((status = 200, description = "Signed in", body = SignedInBody), Creating)
)]
async fn exchange(
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let mut members = Members::new(read_members(&request, payload, **limits).await?);
    let code = members.required("code", secret);
    let verifier = members.required("codeVerifier", secret);
    checked(members.finish())?;
    let (Some(code), Some(verifier)) = (code, verifier) else {
        return Err(Problem::new(Code::InvalidRequest));
    };
    let from = visitor(&request);
    let signed_in = code::exchange(&gateway, &path, &code, &verifier, &from);
    Ok(signed_in_answer(Box::pin(signed_in).await?))
}
