//! Lists that are read page by page.

use std::fmt;
use std::str::FromStr;

use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::describe::Described;
use super::handler::{Intake, Part};
use super::output::Output;
use super::parameters::{finished, query_members};
use crate::domain::ids::TenantId;
use crate::domain::members::Members;
use crate::gateway::Gateway;
use crate::tenants::refusal::Refusal;
use crate::web::Problem;
use crate::web::admin::Tenant;
use crate::web::input::{Field, Fields, Line, Schemas, Whole, input};
use crate::web::page::{self, MAX_LIMIT, PageBody};

input! {
    /// Which page of a list.
    struct Place {
        /// Items at most; 50 unless set.
        limit: Option<Whole<i64, 1, { MAX_LIMIT }>>,
        /// Where to go on: `next` of the page before.
        cursor: Option<Line<2048>>,
    }
}

/// The page of a list that is asked for, and what the list is filtered by. A cursor goes on with the same filters only.
pub struct PageOf<F> {
    /// The filters.
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

/// Items of lists that no tenant has.
const NOBODYS: TenantId = TenantId(Uuid::nil());

impl<F> PageOf<F> {
    /// The position of the last item seen.
    pub fn after(&self) -> Option<&str> {
        self.page.after.as_deref()
    }

    /// The same, where it is an id.
    pub fn after_id<T: From<Uuid>>(&self) -> Result<Option<T>, Refusal> {
        let id = |text| Uuid::try_parse(text).map(T::from);
        let after = self.after().map(id).transpose();
        after.map_err(|_no_id| Refusal::NotFound)
    }

    /// The same, where it is a number.
    pub fn after_number<N: FromStr>(&self) -> Option<N> {
        self.after().and_then(|text| text.parse().ok())
    }

    /// How many rows to read: one more than shown, which tells whether there is more.
    pub fn rows(&self) -> i64 {
        self.page.rows()
    }

    /// The page out of the rows that were read; `position` is where an item stands in the list's order.
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

struct PlaceAnd<F>(Place, F);

impl<F: Fields> Fields for PlaceAnd<F> {
    fn read_all(members: &mut Members) -> Option<Self> {
        let filter = F::read_all(members);
        let place = Place::read_all(members);
        Some(Self(place?, filter?))
    }

    fn fields(schemas: &mut Schemas) -> Vec<Field> {
        let mut fields = F::fields(schemas);
        fields.extend(Place::fields(schemas));
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
            place.limit.map(Whole::get),
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
