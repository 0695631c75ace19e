//! `/v1/admin/sso`: the tenant's identity provider, and the way of a browser there and back.

use actix_web::cookie::{Cookie, SameSite, time};
use actix_web::http::header::{CACHE_CONTROL, ETAG, HOST, IF_NONE_MATCH, LOCATION};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

use super::people::role;
use super::sign_in::{SignedInBody, signed_in_answer};
use super::{checked, read_members};
use crate::api::answers::{Changing, ReadingOne, SigningOn};
use crate::api::{only, reading};
use crate::domain::members::{Members, line};
use crate::domain::role::Role;
use crate::gateway::Gateway;
use crate::store::sso::ProviderRow;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;
use crate::tenants::sso::{self, CameBack, PATIENCE, ProviderSettings, SecretChange};
use crate::web::Problem;
use crate::web::admin::{May, Own};
use crate::web::body::AdminBodyLimits;
use crate::web::codes::Code;
use crate::web::cors::OwnOrigin;
use crate::web::etag::Validator;
use crate::web::page::query;
use crate::web::people::visitor;

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(only(
            web::resource("/v1/admin/sso")
                .route(reading().to(get))
                .route(web::put().to(put))
                .route(web::delete().to(delete)),
            "GET, HEAD, PUT, DELETE",
        ))
        .service(only(
            web::resource("/v1/admin/sso/{tenant}/start").route(web::get().to(start)),
            "GET",
        ))
        .service(only(
            web::resource("/v1/admin/sso/{tenant}/callback").route(web::get().to(callback)),
            "GET",
        ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(get, put, delete, start, callback))]
pub struct Doc;

/// The tenant's identity provider.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ProviderBody {
    /// Its issuer identifier.
    #[schema(example = "https://login.example.com")]
    issuer: String,
    /// What it calls the gateway.
    #[schema(example = "persona-gateway")]
    client_id: String,
    /// Whether a client secret is stored; it is never shown.
    has_client_secret: bool,
    /// Whose e-mail addresses it may speak for.
    #[schema(example = json!(["example.com"]))]
    allowed_domains: Vec<String>,
    /// What somebody without a membership becomes; null turns them away.
    #[schema(example = "viewer")]
    new_person_role: Option<&'static str>,
}

impl From<&ProviderRow> for ProviderBody {
    fn from(row: &ProviderRow) -> Self {
        Self {
            issuer: row.issuer.clone(),
            client_id: row.client_id.clone(),
            has_client_secret: row.client_secret.is_some(),
            allowed_domains: row.allowed_domains.clone(),
            new_person_role: row.new_person_role.map(Role::as_str),
        }
    }
}

/// An identity provider to set.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewProvider {
    /// Its issuer identifier, character for character as its discovery document writes it. It is asked before it is stored.
    #[schema(example = "https://login.example.com", max_length = 500)]
    issuer: String,
    /// What it calls the gateway.
    #[schema(example = "persona-gateway", min_length = 1, max_length = 200)]
    client_id: String,
    /// What it knows the gateway by. Absent, the stored one stays if issuer and client stay; null is a public client.
    #[schema(max_length = 500)]
    client_secret: Option<String>,
    /// Whose e-mail addresses it may speak for.
    #[schema(example = json!(["example.com"]), min_items = 1, max_items = 20)]
    allowed_domains: Vec<String>,
    /// What somebody without a membership becomes: `viewer`, `editor` or `publisher`; null or absent turns them away.
    #[schema(example = "viewer", pattern = "^(viewer|editor|publisher)$")]
    new_person_role: Option<String>,
}

fn validator(row: Option<&ProviderRow>) -> Validator {
    match row {
        None => Validator::new(0, &[]),
        Some(row) => Validator::new(row.revision, row.id.as_bytes()),
    }
}

fn shown(row: &ProviderRow) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((ETAG, validator(Some(row)).etag()))
        .json(ProviderBody::from(row))
}

/// The tenant's identity provider.
#[utoipa::path(
    get, path = "/v1/admin/sso", tag = "Admin: access", operation_id = "getSso", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))),
    responses((status = 200, description = "The provider", body = ProviderBody, headers(("ETag" = String, description = "Its state"))), ReadingOne)
)]
async fn get(may: May<Own>, gateway: web::Data<Gateway>) -> Result<HttpResponse, Problem> {
    let mut tx = gateway.database.tenant(may.tenant).await?;
    let row = tx.sso_provider().await?.ok_or(Refusal::NotFound)?;
    Ok(shown(&row))
}

/// Sets the tenant's identity provider, after asking it. The first time, send `If-None-Match: *` in the place of `If-Match`.
#[utoipa::path(
    put, path = "/v1/admin/sso", tag = "Admin: access", operation_id = "putSso", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))),
    params(
        ("If-Match" = Option<String>, Header, description = "The ETag of a read: 428 without, 412 with `current` if it changed since"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only if there is none yet"),
    ),
    request_body(content = NewProvider, content_type = "application/json"),
    responses((status = 200, description = "The provider", body = ProviderBody, headers(("ETag" = String, description = "Its state"))), Changing)
)]
async fn put(
    may: May<Own>,
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let sent = read_members(&request, payload, **limits).await?;
    let settings = sso::check(settings(sent)?)?;
    gateway.admit_try_out(may.tenant)?;
    Box::pin(gateway.sso.check(&settings.issuer))
        .await
        .map_err(|error| Refusal::fault("/issuer", error.to_string()))?;
    let mut change = Change::begin(&gateway, &may).await?;
    let stored = known(&mut change, &request).await?;
    let row = sso::put(&mut change, stored, settings).await?;
    change.commit().await?;
    Ok(shown(&row))
}

/// Removes the tenant's identity provider. Sessions that it opened go on to their end.
#[utoipa::path(
    delete, path = "/v1/admin/sso", tag = "Admin: access", operation_id = "deleteSso", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))),
    params(("If-Match" = Option<String>, Header, description = "The ETag of a read: 428 without, 412 with `current` if it changed since")),
    responses((status = 204, description = "Removed"), Changing)
)]
async fn delete(
    may: May<Own>,
    request: HttpRequest,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let mut change = Change::begin(&gateway, &may).await?;
    let stored = sso::stored(&mut change).await?.ok_or(Refusal::NotFound)?;
    require(&request, Some(&stored))?;
    sso::remove(&mut change, &stored).await?;
    change.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}

/// What is stored, provided that the caller knows it.
async fn known(change: &mut Change, request: &HttpRequest) -> Result<Option<ProviderRow>, Problem> {
    let stored = sso::stored(change).await?;
    if request.headers().contains_key(IF_NONE_MATCH) {
        validator(stored.as_ref())
            .check_write(request)
            .map_err(|problem| problem.current(current(stored.as_ref())))?;
    } else {
        require(request, stored.as_ref())?;
    }
    Ok(stored)
}

fn require(request: &HttpRequest, stored: Option<&ProviderRow>) -> Result<(), Problem> {
    validator(stored).require(request, || current(stored))
}

fn current(stored: Option<&ProviderRow>) -> Value {
    stored
        .map(|row| serde_json::to_value(ProviderBody::from(row)).unwrap_or_default())
        .unwrap_or_default()
}

fn settings(sent: serde_json::Map<String, Value>) -> Result<ProviderSettings, Refusal> {
    let mut members = Members::new(sent);
    let issuer = members.required("issuer", line(500));
    let client_id = members.required("clientId", line(200));
    let client_secret = members.optional("clientSecret", |value| match value {
        Value::Null => Ok(SecretChange::Clear),
        Value::String(secret) => Ok(SecretChange::Set(SecretString::from(secret))),
        _ => Err("must be a text, or null for a public client".into()),
    });
    let allowed_domains = members.required("allowedDomains", |value| {
        let listed = value.as_array().and_then(|list| {
            list.iter()
                .map(|domain| domain.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
        });
        listed.ok_or_else(|| "must be a list of domains such as example.com".into())
    });
    let new_person_role = members.optional("newPersonRole", |value| match value {
        Value::Null => Ok(None),
        value => role(value).map(Some),
    });
    checked(members.finish())?;
    Ok(ProviderSettings {
        issuer: issuer.unwrap_or_default(),
        client_id: client_id.unwrap_or_default(),
        client_secret: client_secret.unwrap_or(SecretChange::Keep),
        allowed_domains: allowed_domains.unwrap_or_default(),
        new_person_role: new_person_role.flatten(),
    })
}

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

/// Sends the browser to the tenant's identity provider. Open it in a browser: it comes back by itself.
#[utoipa::path(
    get, path = "/v1/admin/sso/{tenant}/start", tag = "Admin: access", operation_id = "startSso",
    params(("tenant" = String, Path, description = "The tenant's name in URLs")),
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
    let from = visitor(&request);
    let own = OwnAddress::of(&request)?;
    let sent = Box::pin(sso::start(&gateway, &path, &own.redirect_uri(&path), &from)).await?;
    Ok(HttpResponse::Found()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((LOCATION, sent.url.as_str()))
        .cookie(own.cookie(
            sent.browser.expose_secret().to_owned(),
            PATIENCE.num_seconds(),
        ))
        .finish())
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

/// Where the identity provider sends the browser back to: signs in whom it vouches for.
#[utoipa::path(
    get, path = "/v1/admin/sso/{tenant}/callback", tag = "Admin: access", operation_id = "finishSso",
    params(("tenant" = String, Path, description = "The tenant's name in URLs"), CallbackQuery),
    responses((status = 200, description = "Signed in", body = SignedInBody), SigningOn)
)]
async fn callback(
    request: HttpRequest,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let from = visitor(&request);
    let asked: CallbackQuery = query(&request)?;
    let own = OwnAddress::of(&request)?;
    let browser = request
        .cookie(own.cookie_name())
        .map(|cookie| SecretString::from(cookie.value()));
    let back = CameBack {
        state: SecretString::from(asked.state.unwrap_or_default()),
        code: asked.code,
        issuer: asked.iss,
        browser: browser.unwrap_or_default(),
        from,
    };
    let signed_in = Box::pin(sso::finish(&gateway, &path, back)).await?;
    let mut answer = signed_in_answer(signed_in);
    // The way is over: the browser may forget it.
    _ = answer.add_cookie(&own.cookie(String::new(), 0));
    Ok(answer)
}
