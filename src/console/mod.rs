//! The console: pages for people who write personas and watch over them. Each page is a struct, a handler and a template beside each other,
//! and a line of [`PAGES`]. Pages ask the API ([`inside`]) for everything, in the name of whoever looks at them.

pub mod api;
pub mod asked;
pub mod assets;
pub mod bundles;
pub mod catalogue;
pub mod choices;
pub mod contexts;
pub mod design;
pub mod documents;
pub mod findings;
pub mod frame;
pub mod guard;
pub mod history;
pub mod import;
pub mod inside;
pub mod issuers;
pub mod keys;
pub mod lines;
pub mod media;
pub mod operator;
pub mod overview;
pub mod own;
pub mod pages;
pub mod parts;
pub mod people;
pub mod persona;
pub mod persona_form;
pub mod persona_preview;
pub mod place_names;
pub mod policy;
pub mod provider;
pub mod refusals;
pub mod releasing;
pub mod said;
pub mod samples;
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
use self::pages::Pages;
use self::visit::Answer;
use crate::domain::role::Role;

/// A group of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NavGroup {
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

impl NavGroup {
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
    pub place: NavGroup,
    /// The least role that sees it; an operator's page asks for an operator instead.
    pub role: Role,
}

const fn line(path: &'static str, text: &'static str, place: NavGroup, role: Role) -> PageLine {
    PageLine {
        path,
        text,
        place,
        role,
    }
}

/// The pages of the navigation, in its order.
pub const PAGES: &[PageLine] = &[
    line("/console", "overview", NavGroup::Start, Role::Viewer),
    line(
        "/console/personas",
        "personas",
        NavGroup::Write,
        Role::Viewer,
    ),
    line(
        "/console/contexts",
        "contexts",
        NavGroup::Write,
        Role::Viewer,
    ),
    line(
        "/console/snippets",
        "snippets",
        NavGroup::Write,
        Role::Viewer,
    ),
    line("/console/talk", "talk", NavGroup::Write, Role::Editor),
    line(
        "/console/sample-users",
        "sample-users",
        NavGroup::Write,
        Role::Viewer,
    ),
    line(
        "/console/sessions",
        "sessions",
        NavGroup::Watch,
        Role::Viewer,
    ),
    line("/console/users", "users", NavGroup::Watch, Role::Viewer),
    line(
        "/console/refusals",
        "refusals",
        NavGroup::Watch,
        Role::Viewer,
    ),
    line("/console/audit", "audit", NavGroup::Watch, Role::Viewer),
    line(
        "/console/catalogue",
        "catalogue",
        NavGroup::Settings,
        Role::Viewer,
    ),
    line(
        "/console/policy",
        "policy",
        NavGroup::Settings,
        Role::Viewer,
    ),
    line(
        "/console/issuers",
        "issuers",
        NavGroup::Settings,
        Role::Viewer,
    ),
    line("/console/keys", "keys", NavGroup::Settings, Role::Viewer),
    line(
        "/console/people",
        "people",
        NavGroup::Settings,
        Role::Viewer,
    ),
    line(
        "/console/single-sign-on",
        "single-sign-on",
        NavGroup::Settings,
        Role::Owner,
    ),
    line(
        "/console/bundles",
        "bundles",
        NavGroup::Settings,
        Role::Viewer,
    ),
    line(
        "/console/operator/tenants",
        "operator-tenants",
        NavGroup::Operator,
        Role::Owner,
    ),
    line(
        "/console/operator/issuers",
        "operator-issuers",
        NavGroup::Operator,
        Role::Owner,
    ),
    line(
        "/console/operator/audit",
        "operator-audit",
        NavGroup::Operator,
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
            .configure(|config| addresses().configure(config))
            .default_service(web::to(not_found)),
    );
}

/// Every address of the console.
pub fn addresses() -> Pages {
    Pages::default()
        .get("", overview::show)
        .get("/sign-in", sign_in::show)
        .post("/sign-in", sign_in::sign_in)
        .get("/sign-in/code", own::code::show)
        .post("/sign-in/code", own::code::complete)
        .get("/second-factor", own::factor::show)
        .post("/second-factor", own::factor::act)
        .get("/sign-in/sso", sso::finish)
        .post("/sign-in/sso", sso::begin)
        .post("/confirm/sso", sso::confirm)
        .get("/forgotten", people::forgotten::show)
        .post("/forgotten", people::forgotten::ask)
        .get("/new-password", people::forgotten::show_new)
        .post("/new-password", people::forgotten::set_new)
        .post("/sign-out", sign_in::sign_out)
        .post("/tenant", sign_in::switch)
        .with(write)
        .with(watch)
        .with(settings)
        .with(contexts::routes)
        .with(talk::routes)
        .with(access)
        .with(operator)
        .get("/design", design::show)
        .get("/assets/{state}/{name}", assets::give)
}

/// What users meet.
fn write(pages: Pages) -> Pages {
    pages
        .get("/personas", documents::personas)
        .post("/personas", documents::new_persona)
        .get("/personas/{key}", persona::show)
        .post("/personas/{key}", persona::act)
        .post("/personas/{key}/preview", persona::preview)
        .get("/personas/{key}/history", persona::show_history)
        .post("/personas/{key}/history", persona::act_history)
        .post("/archive/personas", documents::keep_persona)
        .post("/archive/snippets", documents::keep_snippet)
        .get("/sample-users", samples::show)
        .post("/sample-users", samples::create)
        .get("/sample-users/{key}", samples::show_one)
        .post("/sample-users/{key}", samples::change)
        .get("/snippets", documents::snippets)
        .post("/snippets", documents::new_snippet)
        .get("/snippets/{key}", snippet::show)
        .post("/snippets/{key}", snippet::act)
        .get("/snippets/{key}/history", snippet::show_history)
        .post("/snippets/{key}/history", snippet::act_history)
}

/// What happened.
fn watch(pages: Pages) -> Pages {
    pages
        .get("/sessions", sessions::list::show)
        .get("/sessions/{id}", sessions::story::show)
        .get("/sessions/{id}/replay", sessions::replay::show)
        .get("/import", import::show)
        .post("/import", import::import)
        .get("/users", users::find::show)
        .get("/users/{subject}", users::user::show)
        .post("/users/{subject}", users::user::save)
        .post("/users/{subject}/export", users::user::export)
        .get("/users/{subject}/erase", users::erase::ask)
        .post("/users/{subject}/erase", users::erase::erase)
        .get("/refusals", refusals::show)
        .get("/audit", trail::list::show)
        .get("/audit/checkpoints", trail::proof::show)
        .post("/audit/checkpoints", trail::proof::sign)
        .post("/audit/export", trail::proof::export)
}

/// What the tenant allows, and who may do what.
fn settings(pages: Pages) -> Pages {
    pages
        .get("/catalogue", catalogue::overview::show)
        .post("/catalogue/sync", catalogue::overview::sync)
        .get("/catalogue/{kind}", catalogue::kind::show)
        .post("/catalogue/{kind}", catalogue::kind::change)
        .get("/catalogue/{kind}/{id}", catalogue::entry::show)
        .post("/catalogue/{kind}/{id}", catalogue::entry::change)
        .get("/policy", policy::page::show)
        .post("/policy", policy::page::save)
        .post("/policy/name", policy::page::name)
        .get("/policy/json", policy::document::show)
        .post("/policy/json", policy::document::save)
        .get("/single-sign-on", provider::show)
        .post("/single-sign-on", provider::change)
        .get("/bundles", bundles::page::show)
        .post("/bundles", bundles::page::apply)
        .get("/bundles/export", bundles::page::export)
}

/// Who gets in: users by their issuers, programs by their keys, people by invitation.
fn access(pages: Pages) -> Pages {
    pages
        .get("/issuers", issuers::list::show)
        .get("/issuers/new", issuers::form::new)
        .post("/issuers/new", issuers::form::create)
        .get("/issuers/check", issuers::check::show)
        .post("/issuers/check", issuers::check::judge)
        .get("/issuers/{id}", issuers::issuer::show)
        .post("/issuers/{id}", issuers::issuer::act)
        .get("/issuers/{id}/edit", issuers::form::edit)
        .post("/issuers/{id}/edit", issuers::form::change)
        .get("/keys", keys::page::show)
        .post("/keys/anam", keys::provider::act)
        .post("/keys/api", keys::api_keys::act)
        .post("/keys/secrets", keys::secrets::act)
        .get("/people", people::page::show)
        .post("/people/member", people::page::member)
        .post("/people/invite", people::page::invite)
        .post("/people/password", people::page::password)
        .get("/join", people::join::show)
        .post("/join/read", people::join::look)
        .post("/join", people::join::join)
}

/// The installation.
fn operator(pages: Pages) -> Pages {
    pages
        .get("/operator/tenants", operator::tenants::show)
        .post("/operator/tenants", operator::tenants::act)
        .get("/operator/issuers", operator::issuers::show)
        .post("/operator/issuers", operator::issuers::act)
        .get("/operator/audit", trail::list::show_platform)
        .post("/operator/audit/checkpoints", trail::proof::sign_platform)
        .post("/operator/audit/export", trail::proof::export_platform)
}

async fn not_found() -> Answer {
    Err(Refused::own(StatusCode::NOT_FOUND, "not_found", ""))
}
