//! Lists with pages.

use std::fmt;
use std::str::FromStr;

use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::describe::Described;
use super::output::Output;
use super::parameters::{finished, query_members};
use super::part::{Intake, Part};
use crate::domain::ids::TenantId;
use crate::domain::members::Members;
use crate::gateway::Gateway;
use crate::tenants::refusal::Refusal;
use crate::web::Problem;
use crate::web::admin::Tenant;
use crate::web::input::{Field, Fields, Line, Schemas, WholeNumber, input};
use crate::web::page::{self, MAX_LIMIT, PageBody};

input! {
    /// The page of a list to read.
    struct PageQuery {
        /// Items at most; 50 unless set.
        limit: Option<WholeNumber<i64, 1, { MAX_LIMIT }>>,
        /// Where to go on: `next` of the page before.
        cursor: Option<Line<2048>>,
    }
}

/// The requested page of a list, and the list's filters. A cursor goes on with the same filters only.
pub struct PageOf<F> {
    pub filter: F,
    page: page::Page,
    gateway: web::Data<Gateway>,
    request: HttpRequest,
}

impl<F: fmt::Debug> fmt::Debug for PageOf<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageOf")
            .field("filter", &self.filter)
            .field("page", &self.page)
            .finish_non_exhaustive()
    }
}

/// A page of a list.
#[derive(Debug)]
pub struct Page<T> {
    body: PageBody<T>,
    next: Option<String>,
}

/// Marks cursors of lists that belong to no tenant.
const NOBODYS: TenantId = TenantId(Uuid::nil());

impl<F> PageOf<F> {
    /// The position of the last item seen.
    pub fn after(&self) -> Option<&str> {
        self.page.after.as_deref()
    }

    /// The position of the last item, where positions are ids.
    pub fn after_id<T: From<Uuid>>(&self) -> Result<Option<T>, Refusal> {
        let id = |text| Uuid::try_parse(text).map(T::from);
        let after = self.after().map(id).transpose();
        after.map_err(|_no_id| Refusal::NotFound)
    }

    /// The position of the last item, where positions are numbers.
    pub fn after_number<N: FromStr>(&self) -> Option<N> {
        self.after().and_then(|text| text.parse().ok())
    }

    /// How many rows to read: one more than the page holds, which shows whether there are more.
    pub fn rows(&self) -> i64 {
        self.page.rows()
    }

    /// Builds the page from the rows that were read; `position` is an item's position in the list's order.
    pub fn of<R, T>(
        &self,
        rows: Vec<R>,
        position: impl Fn(&R) -> String,
        view: impl Fn(R) -> T,
    ) -> Page<T> {
        let (body, next) = self
            .page
            .body(&self.request, &self.gateway.keys, rows, position, view);
        Page { body, next }
    }
}

struct PlaceAnd<F>(PageQuery, F);

impl<F: Fields> Fields for PlaceAnd<F> {
    fn read_all(members: &mut Members) -> Option<Self> {
        let filter = F::read_all(members);
        let place = PageQuery::read_all(members);
        Some(Self(place?, filter?))
    }

    fn fields(schemas: &mut Schemas) -> Vec<Field> {
        let mut fields = F::fields(schemas);
        fields.extend(PageQuery::fields(schemas));
        fields
    }
}

impl<F: Fields> Part for PageOf<F> {
    async fn take(intake: &mut Intake) -> Result<Self, Problem> {
        let fields = PlaceAnd::<F>::fields(&mut Schemas::default());
        let mut members = query_members(intake.request.query_string(), &fields)?;
        let all = PlaceAnd::<F>::read_all(&mut members);
        let PlaceAnd(place, filter) = finished(members, all)?;
        let request = intake.request.clone();
        let gateway = intake.gateway()?.clone();
        let tenant = request.extensions().get::<Tenant>().copied();
        let page = page::Page::read(
            &request,
            &gateway.keys,
            tenant.map_or(NOBODYS, |Tenant(tenant)| tenant),
            place.limit.map(WholeNumber::get),
            place.cursor.as_deref(),
        )?;
        Ok(Self {
            filter,
            page,
            gateway,
            request,
        })
    }

    fn describe(operation: &mut Described<'_>) {
        let fields = PlaceAnd::<F>::fields(operation.schemas);
        operation.query_parameters(fields);
        operation.may_refuse(422, "AdminInvalid");
    }
}

impl<T: Serialize + ToSchema> Output for Page<T> {
    fn into_response(self, _: &HttpRequest) -> HttpResponse {
        page::answer(&self.body, self.next.as_deref())
    }

    fn describe(operation: &mut Described<'_>) {
        operation.answers_with::<PageBody<T>>(
            200,
            &[(
                "Link",
                "The next page, `rel=\"next\"`; none on the last one",
            )],
        );
    }
}
