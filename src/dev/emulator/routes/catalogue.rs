//! The lists and single rows of the catalogue.

use std::future::{Ready, ready};

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use uuid::Uuid;

use super::query::Query;
use crate::dev::emulator::access::account;
use crate::dev::emulator::answer::{Refusal, ok};
use crate::dev::emulator::catalogue::Catalogue;
use crate::dev::emulator::shared::Shared;

type Answer = Result<HttpResponse, Refusal>;

/// `GET /v1/avatars`: 404 when nothing matches, unlike the other lists.
pub(crate) async fn avatars(shared: web::Data<Shared>, request: HttpRequest) -> Answer {
    let query = admitted_query(&shared, &request, &["search", "renderStyle", "tags"])?;
    let rows: Vec<_> = shared
        .catalogue
        .avatars
        .iter()
        .filter(|row| query.finds(&[&row.display_name, &row.variant_name]))
        .filter(|row| {
            query.value("renderStyle") == Some("all") || query.asks("renderStyle", row.render_style)
        })
        .filter(|row| {
            query
                .value("tags")
                .is_none_or(|tags| tags.split(',').any(|tag| row.display_tags.contains(&tag)))
        })
        .collect();
    if rows.is_empty() {
        return Err(Refusal::not_found("No avatars found."));
    }
    Ok(ok(query.page(&rows)))
}

/// `GET /v1/voices`
pub(crate) async fn voices(shared: web::Data<Shared>, request: HttpRequest) -> Answer {
    let query = admitted_query(&shared, &request, &["search"])?;
    let rows: Vec<_> = shared
        .catalogue
        .voices
        .iter()
        .filter(|row| query.finds(&[&row.display_name]))
        .collect();
    Ok(ok(query.page(&rows)))
}

/// `GET /v1/llms`
pub(crate) async fn llms(shared: web::Data<Shared>, request: HttpRequest) -> Answer {
    let query = admitted_query(&shared, &request, &["search", "includeDefaults"])?;
    let defaults = query.value("includeDefaults") != Some("false");
    let rows: Vec<_> = shared
        .catalogue
        .llms
        .iter()
        .filter(|row| query.finds(&[&row.display_name]))
        .filter(|row| defaults || !row.is_default)
        .collect();
    Ok(ok(query.page(&rows)))
}

/// `GET /v1/tools`
pub(crate) async fn tools(shared: web::Data<Shared>, request: HttpRequest) -> Answer {
    let query = admitted_query(&shared, &request, &["search"])?;
    let rows: Vec<_> = shared
        .catalogue
        .tools
        .iter()
        .filter(|row| query.finds(&[row.name, row.description]))
        .collect();
    Ok(ok(query.page(&rows)))
}

/// `GET /v1/personas`
pub(crate) async fn personas(shared: web::Data<Shared>, request: HttpRequest) -> Answer {
    let query = admitted_query(&shared, &request, &["search"])?;
    let rows: Vec<_> = shared
        .catalogue
        .personas
        .iter()
        .filter(|row| query.finds(&[row.name]))
        .collect();
    Ok(ok(query.page(&rows)))
}

/// `GET /v1/avatars/{id}` and its like: the row that `find` finds, or a 404 that names the `kind`.
pub(crate) fn one<T: Serialize + 'static>(
    kind: &'static str,
    find: for<'c> fn(&'c Catalogue, &str) -> Option<&'c T>,
) -> impl Fn(web::Data<Shared>, HttpRequest, web::Path<String>) -> Ready<Answer> + Clone {
    move |shared, request, id| {
        ready(found_or_404(
            &shared,
            &request,
            kind,
            &id,
            find(&shared.catalogue, &id),
        ))
    }
}

/// Admits the caller and reads the query of a list.
fn admitted_query(
    shared: &Shared,
    request: &HttpRequest,
    known: &[&str],
) -> Result<Query, Refusal> {
    account(&shared.config.api_keys, request)?;
    Query::parse(request, known, shared.config.mode)
}

fn found_or_404(
    shared: &Shared,
    request: &HttpRequest,
    kind: &str,
    id: &str,
    row: Option<&impl Serialize>,
) -> Answer {
    account(&shared.config.api_keys, request)?;
    if Uuid::parse_str(id).is_err() {
        return Err(Refusal::bad_request(format!("{id:?} is no UUID.")));
    }
    match row {
        Some(row) => Ok(ok(row)),
        None => Err(Refusal::not_found(format!(
            "{kind} with id {id} does not exist."
        ))),
    }
}
