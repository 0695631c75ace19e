//! The console: pages for people who write personas and watch over them. Each page is a struct, a handler and a template beside each other,
//! and a line of [`PAGES`]. Pages ask the API ([`inside`]) for everything, in the name of whoever looks at them.

pub mod api;
pub mod asked;
pub mod assets;
pub mod bundles;
pub mod catalogue;
pub mod choices;
pub mod contexts;
pub mod documents;
pub mod findings;
pub mod frame;
pub mod guard;
pub mod history;
pub mod inside;
pub mod issuers;
pub mod keys;
pub mod operator;
pub mod overview;
pub mod own;
pub mod parts;
pub mod people;
pub mod persona;
pub mod persona_form;
pub mod persona_preview;
pub mod policy;
pub mod refusals;
pub mod saving;
pub mod sessions;
pub mod sign_in;
pub mod snippet;
pub mod sso;
pub mod talk;
pub mod texts;
pub mod trail;
pub mod users;
pub mod visit;
pub mod writing;

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
pub const PAGES: &[PageLine] = &[
    line("/console", "overview", Place::Start, Role::Viewer),
    line("/console/personas", "personas", Place::Write, Role::Viewer),
    line("/console/contexts", "contexts", Place::Write, Role::Viewer),
    line("/console/snippets", "snippets", Place::Write, Role::Viewer),
    line("/console/talk", "talk", Place::Write, Role::Editor),
    line("/console/sessions", "sessions", Place::Watch, Role::Viewer),
    line("/console/users", "users", Place::Watch, Role::Viewer),
    line("/console/refusals", "refusals", Place::Watch, Role::Viewer),
    line("/console/audit", "audit", Place::Watch, Role::Viewer),
    line(
        "/console/catalogue",
        "catalogue",
        Place::Settings,
        Role::Viewer,
    ),
    line("/console/policy", "policy", Place::Settings, Role::Viewer),
    line("/console/issuers", "issuers", Place::Settings, Role::Viewer),
    line("/console/keys", "keys", Place::Settings, Role::Viewer),
    line("/console/people", "people", Place::Settings, Role::Viewer),
    line("/console/bundles", "bundles", Place::Settings, Role::Viewer),
    line(
        "/console/operator/tenants",
        "operator-tenants",
        Place::Operator,
        Role::Owner,
    ),
    line(
        "/console/operator/issuers",
        "operator-issuers",
        Place::Operator,
        Role::Owner,
    ),
    line(
        "/console/operator/audit",
        "operator-audit",
        Place::Operator,
        Role::Owner,
    ),
];

/// Who may write drafts.
const EDITOR: Role = Role::Editor;

/// The console's routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(
        web::scope("/console")
            .wrap(from_fn(guard::guard))
            .route("", web::get().to(overview::show))
            .route("/sign-in", web::get().to(sign_in::show))
            .route("/sign-in", web::post().to(sign_in::sign_in))
            .route("/sign-in/code", web::get().to(own::code::show))
            .route("/sign-in/code", web::post().to(own::code::complete))
            .route("/second-factor", web::get().to(own::factor::show))
            .route("/second-factor", web::post().to(own::factor::act))
            .route("/sign-in/sso", web::get().to(sso::finish))
            .route("/sign-in/sso", web::post().to(sso::begin))
            .route("/forgotten", web::get().to(people::forgotten::show))
            .route("/forgotten", web::post().to(people::forgotten::ask))
            .route("/new-password", web::get().to(people::forgotten::show_new))
            .route("/new-password", web::post().to(people::forgotten::set_new))
            .route("/sign-out", web::post().to(sign_in::sign_out))
            .route("/tenant", web::post().to(sign_in::switch))
            .configure(write)
            .configure(watch)
            .configure(settings)
            .configure(contexts::routes)
            .configure(talk::routes)
            .configure(access)
            .configure(operator)
            .route("/assets/{state}/{name}", web::get().to(assets::give))
            .default_service(web::to(not_found)),
    );
}

/// What users meet.
fn write(config: &mut ServiceConfig) {
    config
        .route("/personas", web::get().to(documents::personas))
        .route("/personas", web::post().to(documents::new_persona))
        .route("/personas/archive", web::post().to(documents::keep_persona))
        .route("/personas/{key}", web::get().to(persona::show))
        .route("/personas/{key}", web::post().to(persona::act))
        .route("/personas/{key}/preview", web::post().to(persona::preview))
        .route(
            "/personas/{key}/history",
            web::get().to(persona::show_history),
        )
        .route(
            "/personas/{key}/history",
            web::post().to(persona::act_history),
        )
        .route("/snippets", web::get().to(documents::snippets))
        .route("/snippets", web::post().to(documents::new_snippet))
        .route("/snippets/archive", web::post().to(documents::keep_snippet))
        .route("/snippets/{key}", web::get().to(snippet::show))
        .route("/snippets/{key}", web::post().to(snippet::act))
        .route(
            "/snippets/{key}/history",
            web::get().to(snippet::show_history),
        )
        .route(
            "/snippets/{key}/history",
            web::post().to(snippet::act_history),
        );
}

/// What happened.
fn watch(config: &mut ServiceConfig) {
    config
        .route("/sessions", web::get().to(sessions::list::show))
        .route("/sessions/{id}", web::get().to(sessions::story::show))
        .route(
            "/sessions/{id}/replay",
            web::get().to(sessions::replay::show),
        )
        .route("/users", web::get().to(users::find::show))
        .route("/users/{subject}", web::get().to(users::user::show))
        .route("/users/{subject}", web::post().to(users::user::save))
        .route(
            "/users/{subject}/export",
            web::post().to(users::user::export),
        )
        .route("/users/{subject}/erase", web::get().to(users::erase::ask))
        .route(
            "/users/{subject}/erase",
            web::post().to(users::erase::erase),
        )
        .route("/refusals", web::get().to(refusals::show))
        .route("/audit", web::get().to(trail::list::show))
        .route("/audit/checkpoints", web::get().to(trail::proof::show))
        .route("/audit/checkpoints", web::post().to(trail::proof::sign))
        .route("/audit/export", web::post().to(trail::proof::export));
}

/// What the tenant allows, and who may do what.
fn settings(config: &mut ServiceConfig) {
    config
        .route("/catalogue", web::get().to(catalogue::overview::show))
        .route("/catalogue/sync", web::post().to(catalogue::overview::sync))
        .route("/catalogue/{kind}", web::get().to(catalogue::kind::show))
        .route("/catalogue/{kind}", web::post().to(catalogue::kind::change))
        .route(
            "/catalogue/{kind}/{id}",
            web::get().to(catalogue::entry::show),
        )
        .route(
            "/catalogue/{kind}/{id}",
            web::post().to(catalogue::entry::change),
        )
        .route("/policy", web::get().to(policy::page::show))
        .route("/policy", web::post().to(policy::page::save))
        .route("/policy/name", web::post().to(policy::page::name))
        .route("/policy/json", web::get().to(policy::document::show))
        .route("/policy/json", web::post().to(policy::document::save))
        .route("/bundles", web::get().to(bundles::page::show))
        .route("/bundles", web::post().to(bundles::page::apply))
        .route("/bundles/export", web::get().to(bundles::page::export));
}

/// Who gets in: users by their issuers, programs by their keys, people by invitation.
fn access(config: &mut ServiceConfig) {
    config
        .route("/issuers", web::get().to(issuers::list::show))
        .route("/issuers/new", web::get().to(issuers::form::new))
        .route("/issuers/new", web::post().to(issuers::form::create))
        .route("/issuers/check", web::get().to(issuers::check::show))
        .route("/issuers/check", web::post().to(issuers::check::judge))
        .route("/issuers/{id}", web::get().to(issuers::issuer::show))
        .route("/issuers/{id}", web::post().to(issuers::issuer::act))
        .route("/issuers/{id}/edit", web::get().to(issuers::form::edit))
        .route("/issuers/{id}/edit", web::post().to(issuers::form::change))
        .route("/keys", web::get().to(keys::page::show))
        .route("/keys/anam", web::post().to(keys::provider::act))
        .route("/keys/api", web::post().to(keys::api_keys::act))
        .route("/keys/secrets", web::post().to(keys::secrets::act))
        .route("/people", web::get().to(people::page::show))
        .route("/people/member", web::post().to(people::page::member))
        .route("/people/invite", web::post().to(people::page::invite))
        .route("/people/password", web::post().to(people::page::password))
        .route("/join", web::get().to(people::join::show))
        .route("/join", web::post().to(people::join::join));
}

/// The installation.
fn operator(config: &mut ServiceConfig) {
    config
        .route("/operator/tenants", web::get().to(operator::tenants::show))
        .route("/operator/tenants", web::post().to(operator::tenants::act))
        .route("/operator/issuers", web::get().to(operator::issuers::show))
        .route("/operator/issuers", web::post().to(operator::issuers::act))
        .route("/operator/audit", web::get().to(trail::list::show_platform))
        .route(
            "/operator/audit/checkpoints",
            web::post().to(trail::proof::sign_platform),
        )
        .route(
            "/operator/audit/export",
            web::post().to(trail::proof::export_platform),
        );
}

async fn not_found() -> Answer {
    Err(Refused::own(StatusCode::NOT_FOUND, "not_found", ""))
}
