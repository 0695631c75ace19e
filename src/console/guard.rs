//! Around every page: who may send forms, what the page may load, and what is shown where the API refuses.

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_FRAME_OPTIONS,
};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse};

use super::api::{Refused, encode};
use super::frame::refusal_page;
use super::own::confirm;
use crate::web::cors::foreign_origin;
use crate::web::own_address::OwnAddress;

/// Everything comes from the gateway itself; no page of another origin shows or sends it.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Handles a request to the console.
pub async fn guard<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD);
    if !safe && !is_from_here(request.request()) {
        let refused = Refused::own(
            StatusCode::FORBIDDEN,
            "foreign_form",
            "A page of another origin sent this. Nothing was done.",
        );
        let page = refusal_page(request.request(), &refused);
        return Ok(dressed(request.into_response(page).map_into_right_body()));
    }
    let response = next.call(request).await?;
    if let Some(page) = confirm::asked(response.request()) {
        let (request, _) = response.into_parts();
        return Ok(dressed(
            ServiceResponse::new(request, page).map_into_right_body(),
        ));
    }
    let refused = response
        .response()
        .error()
        .and_then(|error| error.as_error::<Refused>())
        .cloned();
    let response = match refused {
        None => response.map_into_left_body(),
        Some(refused) => {
            let (request, _) = response.into_parts();
            let page = match refused.code.as_str() {
                "second_factor_required" => to(&request, "/console/sign-in/code"),
                "second_factor_enrolment_required" => to(&request, "/console/second-factor"),
                _ if refused.is_signed_out() => to(&request, "/console/sign-in"),
                _ => refusal_page(&request, &refused),
            };
            ServiceResponse::new(request, page).map_into_right_body()
        }
    };
    Ok(dressed(response))
}

/// Whether the browser sends it from a page of the gateway. Where it does not say so in so many words (Fetch Metadata), its origin tells; pages that
/// tell nobody where they are send `null` as their origin, so it is not asked for otherwise.
fn is_from_here(request: &HttpRequest) -> bool {
    match request.headers().get(SEC_FETCH_SITE) {
        Some(site) => site == "same-origin" || site == "none",
        None => foreign_origin(request).is_none(),
    }
}

/// Sends the browser to another page first, and back here from there.
fn to(request: &HttpRequest, first: &str) -> HttpResponse {
    let page = request.uri().path_and_query();
    let next = match page {
        Some(page) if *request.method() == Method::GET => {
            format!("?next={}", encode(page.as_str()))
        }
        _ => String::new(),
    };
    HttpResponse::SeeOther()
        .insert_header((LOCATION, format!("{first}{next}")))
        .finish()
}

fn dressed<B>(mut response: ServiceResponse<B>) -> ServiceResponse<B> {
    let secure = OwnAddress::from_request(response.request())
        .is_some_and(|own| own.origin().starts_with("https://"));
    let headers = response.headers_mut();
    let mut default = |name: HeaderName, value: &'static str| {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    default(CACHE_CONTROL, "no-store");
    default(CONTENT_SECURITY_POLICY, POLICY);
    default(X_FRAME_OPTIONS, "DENY");
    // Without any referrer, browsers send forms with the origin `null`.
    default(REFERRER_POLICY, "same-origin");
    default(
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
    default(
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    );
    if secure {
        default(STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response
}
