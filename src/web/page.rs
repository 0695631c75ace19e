//! Lists by keyset: a page is what comes behind the last item seen, so nothing is shown twice or left out while rows come
//! and go, and a deep page costs what the first one does.

use std::borrow::Cow;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, LINK};
use actix_web::{HttpRequest, web};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::form_urlencoded;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Array, Object, Type};
use utoipa::openapi::{Ref, RefOr, Schema};

use super::codes::Code;
use super::{Problem, path};
use crate::crypto::mac::MARK_LEN;
use crate::crypto::seal::KeyRing;
use crate::domain::fault::{Fault, Faults, step};
use crate::domain::ids::TenantId;

/// Items of a page, unless the request says otherwise.
const DEFAULT_LIMIT: usize = 50;
/// Items of a page at most.
pub const MAX_LIMIT: i64 = 100;

/// Longest member of a query, bytes once decoded. Cursors are the longest that are meant.
const MAX_QUERY_BYTES: usize = 2_048;

/// The query of a request as its type, whose members are the only ones taken; give it `deny_unknown_fields`. Each member is a
/// text without control characters, whatever its type makes of it afterwards.
pub fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, Problem> {
    check_texts(request.query_string())?;
    web::Query::<T>::from_query(request.query_string())
        .map(web::Query::into_inner)
        .map_err(|error| {
            let text = error.to_string();
            let reason = text
                .strip_prefix("Query deserialize error: ")
                .unwrap_or(&text);
            Problem::new(Code::InvalidRequest)
                .detail(format!("The query can't be taken: {reason}."))
        })
}

fn check_texts(query: &str) -> Result<(), Problem> {
    let mut faults = Faults::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let is_text = |part: &str| {
            path::decode(&part.replace('+', " ")).is_some_and(|text| {
                text.len() <= MAX_QUERY_BYTES && !text.contains(char::is_control)
            })
        };
        // A name that is no text is not repeated.
        let place = if is_text(name) {
            step(name)
        } else {
            String::new()
        };
        if place.is_empty() || !is_text(value) {
            faults.add(
                place,
                format!("must be percent-encoded UTF-8 of at most {MAX_QUERY_BYTES} bytes, none of them a control character"),
            );
        }
    }
    match faults.into_vec() {
        faults if faults.is_empty() => Ok(()),
        faults => Err(Problem::new(Code::InvalidRequest)
            .detail("The query can't be taken; see errors.")
            .errors(faults)),
    }
}

/// Which page is asked for.
#[derive(Debug)]
pub struct Page {
    /// Items at most.
    limit: usize,
    /// The position of the last item seen.
    pub after: Option<String>,
    list: String,
    tenant: TenantId,
}

/// A page of a list.
#[derive(Debug, Serialize)]
pub struct PageBody<T> {
    /// The items.
    pub items: Vec<T>,
    /// The cursor of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T: ToSchema> utoipa::__dev::ComposeSchema for PageBody<T> {
    fn compose(_: Vec<RefOr<Schema>>) -> RefOr<Schema> {
        let items = Array::new(Ref::from_schema_name(T::name()));
        let next = Object::builder()
            .schema_type(Type::String)
            .description(Some("The cursor of the next page; absent on the last one."));
        let page = Object::builder()
            .description(Some("A page of a list."))
            .property("items", items)
            .required("items")
            .property("next", next);
        page.into()
    }
}

/// Named after its items: the derived name would be the same for pages of anything.
impl<T: ToSchema> ToSchema for PageBody<T> {
    fn name() -> Cow<'static, str> {
        format!("PageBody_{}", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        T::schemas(schemas);
        schemas.push((T::name().into_owned(), T::schema()));
    }
}

impl Page {
    /// Reads `limit` and `cursor` of a list. Everything else of the query belongs to the list's name, so that a cursor goes
    /// on with the same filters only.
    pub fn read(
        request: &HttpRequest,
        keys: &KeyRing,
        tenant: TenantId,
        limit: Option<i64>,
        cursor: Option<&str>,
    ) -> Result<Self, Problem> {
        let limit = match limit {
            None => DEFAULT_LIMIT,
            Some(limit) => usize::try_from(limit)
                .ok()
                .filter(|_| (1..=MAX_LIMIT).contains(&limit))
                .ok_or_else(|| wrong("/limit", format!("must be 1 to {MAX_LIMIT}")))?,
        };
        let list = list_name(request);
        let after = match cursor {
            None => None,
            Some(cursor) => Some(open(keys, tenant, &list, cursor).ok_or_else(|| {
                wrong(
                    "/cursor",
                    "must be a cursor that this very list gave: leave it out to start over",
                )
            })?),
        };
        Ok(Self {
            limit,
            after,
            list,
            tenant,
        })
    }

    /// How many rows to read: one more than shown, which tells whether there is more.
    pub fn rows(&self) -> i64 {
        i64::try_from(self.limit).unwrap_or_default() + 1
    }

    /// Answers with the rows that were read; `position` is where an item stands in the list's order.
    pub fn answer<R, T: Serialize>(
        &self,
        request: &HttpRequest,
        keys: &KeyRing,
        rows: Vec<R>,
        position: impl Fn(&R) -> String,
        view: impl Fn(R) -> T,
    ) -> HttpResponse {
        let (body, next) = self.body(request, keys, rows, position, view);
        answer(&body, next.as_deref())
    }

    /// The page out of the rows that were read, and the address of the next one.
    pub(super) fn body<R, T>(
        &self,
        request: &HttpRequest,
        keys: &KeyRing,
        mut rows: Vec<R>,
        position: impl Fn(&R) -> String,
        view: impl Fn(R) -> T,
    ) -> (PageBody<T>, Option<String>) {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let next = rows
            .last()
            .filter(|_| more)
            .map(|last| seal(keys, self.tenant, &self.list, &position(last)));
        let address = next.as_deref().map(|cursor| next_url(request, cursor));
        let body = PageBody {
            items: rows.into_iter().map(view).collect(),
            next,
        };
        (body, address)
    }
}

/// A page, and where the next one is.
pub(super) fn answer<T: Serialize>(body: &PageBody<T>, next: Option<&str>) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CACHE_CONTROL, "no-store"));
    if let Some(address) = next {
        answer.insert_header((LINK, format!("<{address}>; rel=\"next\"")));
    }
    answer.json(body)
}

fn wrong(pointer: &str, message: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidRequest).errors(vec![Fault::new(pointer, message)])
}

/// Path and filters.
fn list_name(request: &HttpRequest) -> String {
    let mut filters: Vec<(String, String)> = pairs(request).collect();
    filters.sort();
    format!("{}?{filters:?}", request.path())
}

fn pairs(request: &HttpRequest) -> impl Iterator<Item = (String, String)> {
    form_urlencoded::parse(request.query_string().as_bytes())
        .filter(|(name, _)| name != "cursor" && name != "limit")
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
}

fn next_url(request: &HttpRequest, cursor: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(request.query_string().as_bytes()) {
        if name != "cursor" {
            query.append_pair(&name, &value);
        }
    }
    query.append_pair("cursor", cursor);
    format!("{}?{}", request.path(), query.finish())
}

fn marked(list: &str, position: &str) -> Vec<u8> {
    [list.as_bytes(), b"\0", position.as_bytes()].concat()
}

fn seal(keys: &KeyRing, tenant: TenantId, list: &str, position: &str) -> String {
    let mark = keys.mark("cursor", tenant, &marked(list, position));
    URL_SAFE_NO_PAD.encode([mark.as_slice(), position.as_bytes()].concat())
}

fn open(keys: &KeyRing, tenant: TenantId, list: &str, cursor: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (mark, position) = bytes.split_first_chunk::<MARK_LEN>()?;
    let position = std::str::from_utf8(position).ok()?;
    keys.is_marked("cursor", tenant, &marked(list, position), mark)
        .then(|| position.to_owned())
}
