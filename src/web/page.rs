//! Lists by keyset: a page is what comes behind the last item seen, so nothing is shown twice or left out while rows come
//! and go, and a deep page costs what the first one does.

use std::borrow::Cow;

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, LINK};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use url::form_urlencoded;
use utoipa::openapi::schema::{Array, Object, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::Problem;
use super::codes::Code;
use crate::crypto::mac::MARK_LEN;
use crate::crypto::seal::KeyRing;
use crate::domain::fault::Fault;
use crate::domain::ids::TenantId;
use crate::domain::wrong::{Words, Wrong};

/// Items of a page, unless the request says otherwise.
const DEFAULT_LIMIT: usize = 50;
/// Items of a page at most.
pub const MAX_LIMIT: i64 = 100;

#[derive(Debug)]
pub struct Page {
    /// The most items of a page.
    limit: usize,
    /// The position of the last item seen.
    pub after: Option<String>,
    list: String,
    tenant: TenantId,
}

/// A page of a list.
#[derive(Debug, Serialize)]
pub struct PageBody<T> {
    pub items: Vec<T>,
    /// The cursor of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T: ToSchema> PartialSchema for PageBody<T> {
    fn schema() -> RefOr<Schema> {
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
                .ok_or_else(|| wrong("/limit", Wrong::range(1, MAX_LIMIT)))?,
        };
        let list = list_name(request);
        let after = match cursor {
            None => None,
            Some(cursor) => Some(
                open(keys, tenant, &list, cursor).ok_or_else(|| wrong("/cursor", Wrong::Cursor))?,
            ),
        };
        Ok(Self {
            limit,
            after,
            list,
            tenant,
        })
    }

    /// How many rows to read: one more than the page holds, which shows whether there are more.
    pub fn rows(&self) -> i64 {
        i64::try_from(self.limit).unwrap_or_default() + 1
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

pub(super) fn answer<T: Serialize>(body: &PageBody<T>, next: Option<&str>) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CACHE_CONTROL, "no-store"));
    if let Some(address) = next {
        answer.insert_header((LINK, format!("<{address}>; rel=\"next\"")));
    }
    answer.json(body)
}

fn wrong(pointer: &str, message: impl Into<Words>) -> Problem {
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
