//! The console: pages for people who write personas and watch over them. Each page is a struct, a handler and a template beside each other,
//! and a line of [`PAGES`]. Pages ask the API ([`inside`]) for everything, in the name of whoever looks at them.

pub mod api;
pub mod assets;
pub mod frame;
pub mod guard;
pub mod inside;
pub mod overview;
pub mod sign_in;
pub mod texts;
pub mod visit;

use actix_web::http::StatusCode;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

use self::api::Refused;
use self::visit::Answer;
use crate::domain::role::Role;

/// A group of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Where one begins.
    Start,
    /// What users meet.
    Write,
    /// What happened.
    Watch,
    /// Who may do what, and what the tenant allows.
    Settings,
    /// The installation.
    Operator,
}

impl Place {
    fn text(self) -> &'static str {
        match self {
            Self::Start => "nav-start",
            Self::Write => "nav-write",
            Self::Watch => "nav-watch",
            Self::Settings => "nav-settings",
            Self::Operator => "nav-operator",
        }
    }
}

/// A page of the navigation.
#[derive(Debug)]
pub struct PageLine {
    pub path: &'static str,
    /// Its name among the texts.
    pub text: &'static str,
    pub place: Place,
    /// The least role that sees it; an operator's page asks for an operator instead.
    pub role: Role,
}

const fn line(path: &'static str, text: &'static str, place: Place, role: Role) -> PageLine {
    PageLine {
        path,
        text,
        place,
        role,
    }
}

/// The pages of the navigation, in its order.
pub const PAGES: &[PageLine] = &[line("/console", "overview", Place::Start, Role::Viewer)];

/// The console's routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(
        web::scope("/console")
            .wrap(from_fn(guard::guard))
            .route("", web::get().to(overview::show))
            .route("/sign-in", web::get().to(sign_in::show))
            .route("/sign-in", web::post().to(sign_in::sign_in))
            .route("/sign-out", web::post().to(sign_in::sign_out))
            .route("/tenant", web::post().to(sign_in::switch))
            .route("/assets/{state}/{name}", web::get().to(assets::give))
            .default_service(web::to(not_found)),
    );
}

async fn not_found() -> Answer {
    Err(Refused::own(StatusCode::NOT_FOUND, "not_found", ""))
}
