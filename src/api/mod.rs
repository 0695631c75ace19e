//! The JSON API: one file a resource, thin handlers, no SQL, no rules.

pub mod admin;
mod choices;
pub mod contexts;
pub mod dropin;
pub mod openapi;
pub mod operator;
pub mod ops;
pub mod options;
pub mod preferences;
pub mod quotas;
pub mod reference;
pub mod session_token;

use actix_web::web::ServiceConfig;
use actix_web::{HttpResponse, ResponseError};

use crate::web::Problem;
use crate::web::codes::Code;
use crate::web::operation::Operations;

/// The API's routes, and those of the page that describes it.
pub fn routes(config: &mut ServiceConfig) {
    for resource in operations() {
        resource.configure(config);
    }
    reference::routes(config);
}

/// What can be done, resource by resource.
pub fn operations() -> Vec<Operations> {
    let mut operations = vec![
        session_token::operations(),
        dropin::operations(),
        contexts::operations(),
        preferences::operations(),
        options::operations(),
        quotas::operations(),
        openapi::operations(),
    ];
    operations.extend(admin::operations());
    operations.extend([
        operator::operations(),
        operator::accounts::operations(),
        operator::issuer_pairs::operations(),
        operator::allowances::operations(),
        operator::audit::operations(),
    ]);
    operations
}

/// The answer at unknown paths.
pub async fn not_found() -> HttpResponse {
    Problem::new(Code::NotFound).error_response()
}
