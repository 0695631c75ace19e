//! What a request noted: that somebody has to show again who they are, whatever the page makes of the refusal.

use actix_web::{HttpMessage, HttpRequest};

/// The fields of a form that show who somebody is.
pub const PASSWORD: &str = "confirm-password";
pub const CODE: &str = "confirm-code";
/// Somebody says that they have signed in at their provider for it.
pub const SSO: &str = "confirm-sso";

/// Somebody says so, with the form that waited for it.
#[derive(Debug, Clone, Copy)]
pub struct SaysSo;

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
