//! CORS for the user API; the admin API has none. A preflight names no tenant, so it is answered for the origins of all; the request itself is
//! judged by its own tenant's list (see `sessions::mint` and `tenants::visit`).
//!
//! Pages carry what their tools add to every request: trace ids, a request id, a token against forgery. There are no cookies, and nothing of
//! an answer hangs on a header that the gateway does not know, so a page of an allowed origin may send any header but those in which
//! proxies speak.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HOST, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse, web};

use super::forwarded::is_for_proxies;
use super::path::is_for_admins;
use super::trace::request_id;
use crate::gateway::Gateway;
use crate::tenants::access::Origins;

/// The gateway's own origin, where it is configured; else it follows from each request's Host.
#[derive(Debug, Clone, Default)]
pub struct OwnOrigin(pub Option<String>);

/// The page's origin, unless it is the gateway's own.
pub fn foreign_origin(request: &HttpRequest) -> Option<String> {
    let origin = request.headers().get(ORIGIN)?;
    // One that is not ASCII can be nobody's own; it fits no list either.
    let origin = origin.to_str().unwrap_or("null");
    let is_own = if let Some(own) = request
        .app_data::<web::Data<OwnOrigin>>()
        .and_then(|own| own.0.as_deref())
    {
        origin == own
    } else {
        let host = request
            .headers()
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or_default();
        origin
            .split_once("://")
            .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
    };
    (!is_own).then(|| origin.to_owned())
}

/// Headers that every page may read.
const EXPOSED: &str = "etag, ratelimit, ratelimit-limit, ratelimit-policy, ratelimit-remaining, ratelimit-reset, retry-after, server-timing, x-request-id";

/// Headers that every page may send: what this API reads.
const READ_HERE: [&str; 6] = [
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "persona-gateway-tenant",
];
/// Longest list of other headers that a preflight is answered with, and longest name in it.
const MAX_ASKED: (usize, usize) = (100, 100);
/// How long browsers may keep the answer to a preflight, in seconds: as long as any of them does. Each call is judged all the same.
const MAX_AGE: &str = "7200";

/// Answers preflights, and lets pages of allowed origins read answers, errors too.
pub async fn cors<B: MessageBody + 'static>(
    origins: web::Data<Origins>,
    gateway: web::Data<Gateway>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    if is_for_admins(request.path()) {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    let foreign = foreign_origin(request.request());
    let is_allowed = foreign
        .as_deref()
        .is_some_and(|origin| origins.any_allows(origin));
    let is_preflight = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    if let (true, false, Some(origin)) = (is_preflight, is_allowed, &foreign) {
        let neighbour = origins.neighbour_of(origin);
        gateway.note_refused_preflight(neighbour, origin, request_id(request.request()));
    }
    let allowed = foreign.filter(|_| is_allowed);
    let sendable = is_preflight.then(|| sendable_headers(request.headers()));
    let mut response = if is_preflight {
        request
            .into_response(HttpResponse::NoContent().finish())
            .map_into_right_body()
    } else {
        next.call(request).await?.map_into_left_body()
    };
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if is_preflight {
        headers.append(
            VARY,
            HeaderValue::from_static("Access-Control-Request-Headers"),
        );
    }
    if let Some(origin) = allowed.and_then(|origin| HeaderValue::try_from(origin).ok()) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if let Some(sendable) = sendable {
            allow_preflight(headers, sendable);
        } else {
            headers.insert(
                ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static(EXPOSED),
            );
        }
    }
    Ok(response)
}

fn allow_preflight(headers: &mut HeaderMap, sendable: HeaderValue) {
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE"),
    );
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, sendable);
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
}

/// The headers that a page may send, of those that it asks for. The names are listed, since `*` would not cover `authorization`.
fn sendable_headers(preflight: &HeaderMap) -> HeaderValue {
    let (most, longest) = MAX_ASKED;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let asked = preflight
        .get_all(ACCESS_CONTROL_REQUEST_HEADERS)
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| (1..=longest).contains(&name.len()) && name.bytes().all(is_plain))
        .filter(|name| !READ_HERE.contains(&name.as_str()) && !is_for_proxies(name));
    let mut list = READ_HERE.join(", ");
    for name in asked.take(most) {
        list.push_str(", ");
        list.push_str(&name);
    }
    HeaderValue::try_from(list)
        .unwrap_or_else(|_unwritable| HeaderValue::from_static("authorization, content-type"))
}
