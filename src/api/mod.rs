//! The JSON API: one file a resource, thin handlers, no SQL, no rules.

pub mod admin;
mod answers;
mod choices;
pub mod contexts;
pub mod dropin;
pub mod openapi;
pub mod operator;
pub mod ops;
pub mod options;
pub mod preferences;
pub mod session_token;

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, ResponseError, guard};

use crate::web::Problem;
use crate::web::codes::Code;
use crate::web::operation::Operations;

/// The user API's routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .configure(admin::routes)
        .configure(operator::audit::routes);
    for resource in operations() {
        resource.configure(config);
    }
}

/// What can be done, resource by resource.
pub fn operations() -> Vec<Operations> {
    let mut operations = vec![
        session_token::operations(),
        dropin::operations(),
        contexts::operations(),
        preferences::operations(),
        options::operations(),
        openapi::operations(),
    ];
    operations.extend(admin::operations());
    operations.extend([operator::operations(), operator::issuer_pairs::operations()]);
    operations
}

/// GET, and HEAD: the same without its body (RFC 9110, section 9.3.2).
fn reading() -> actix_web::Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// Any other method is answered with the ones that exist (RFC 9110, section 15.5.6).
fn only(resource: actix_web::Resource, allowed: &'static str) -> actix_web::Resource {
    resource.default_service(web::to(move || async move {
        Problem::new(Code::MethodNotAllowed)
            .allow(allowed)
            .error_response()
    }))
}

/// What stands at no route.
pub async fn not_found() -> HttpResponse {
    Problem::new(Code::NotFound).error_response()
}
