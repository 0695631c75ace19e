//! What a request noted: that somebody has to show again who they are, whatever the page makes of the refusal.

use actix_web::{HttpMessage, HttpRequest};

/// The fields of a form that show who somebody is.
pub const PASSWORD: &str = "confirm-password";
pub const CODE: &str = "confirm-code";

/// Somebody has to show who they are.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Why the last proof was refused.
    pub fault: Option<String>,
}

/// Notes it.
pub fn ask(request: &HttpRequest, fault: Option<String>) {
    request.extensions_mut().insert(Asked { fault });
}
