//! How a user's page calls, taken from its request.

use actix_web::{HttpRequest, web};

use super::address::TrustedProxies;
use super::{Problem, bearer};
use crate::auth::is_opaque;
use crate::gateway::{Opaque, UserCall};
use crate::web::trace::request_id;

/// Names the tenant whose issuer judges an opaque token. A JWT names its issuer, so the header is ignored there.
pub const TENANT_HEADER: &str = "persona-gateway-tenant";

/// The call of a user's page. `origin` is the page's (see [`super::cors::foreign_origin`]).
pub fn user_call<'a>(
    request: &'a HttpRequest,
    origin: Option<&'a str>,
) -> Result<UserCall<'a>, Problem> {
    let token = bearer::bearer(request)?;
    Ok(UserCall {
        token,
        opaque: opaque(request, token),
        origin,
        request: request_id(request),
    })
}

fn opaque<'a>(request: &'a HttpRequest, token: &str) -> Option<Opaque<'a>> {
    let mut named = request.headers().get_all(TENANT_HEADER);
    let first = named.next()?;
    if !is_opaque(token) {
        return None;
    }
    // Two, or one that is no text, name nobody.
    let sent_for = match named.next() {
        None => first.to_str().unwrap_or_default(),
        Some(_) => "",
    };
    let proxies = request.app_data::<web::Data<TrustedProxies>>();
    Some(Opaque {
        sent_for,
        from: proxies.and_then(|proxies| proxies.client(request)),
    })
}
