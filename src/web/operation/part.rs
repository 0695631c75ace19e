//! Parts of a request, which handlers take.

use std::any::type_name;
use std::fmt;

use actix_web::{HttpRequest, web};

use super::address;
use super::describe::Described;
use crate::gateway::Gateway;
use crate::tenants::sign_in::Visitor;
use crate::web::Problem;
use crate::web::body::{AdminBodyLimits, BodyLimits};
use crate::web::codes::Code;
use crate::web::path::is_for_admins;
use crate::web::people::visitor;

/// A request while its parts are extracted.
pub struct Intake {
    /// The request's head.
    pub request: HttpRequest,
    payload: Option<web::Payload>,
    path: &'static str,
    parameters_taken: usize,
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intake")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Intake {
    pub(super) fn new(path: &'static str, request: HttpRequest, payload: web::Payload) -> Self {
        Self {
            request,
            payload: Some(payload),
            path,
            parameters_taken: 0,
        }
    }

    /// The running service.
    pub fn gateway(&self) -> Result<&web::Data<Gateway>, Problem> {
        self.data()
    }

    /// Application data of actix.
    pub fn data<T: 'static>(&self) -> Result<&T, Problem> {
        self.request.app_data::<T>().ok_or_else(|| {
            tracing::error!(what = type_name::<T>(), "the server was not given this");
            Problem::new(Code::Internal)
        })
    }

    /// Bounds on the body.
    pub fn body_limits(&self) -> Result<BodyLimits, Problem> {
        if is_for_admins(self.path) {
            Ok(self.data::<web::Data<AdminBodyLimits>>()?.0)
        } else {
            Ok(***self.data::<web::Data<BodyLimits>>()?)
        }
    }

    /// The body; it can be taken once.
    pub fn payload(&mut self) -> Result<web::Payload, Problem> {
        self.payload
            .take()
            .ok_or_else(|| Problem::new(Code::Internal))
    }

    /// The next parameter of the path, decoded. One that is not percent-encoded UTF-8 is answered 404.
    pub(super) fn next_parameter(&mut self) -> Result<String, Problem> {
        let at = self.parameters_taken;
        self.parameters_taken += 1;
        address::value(self.path, self.request.uri().path(), at)
            .ok_or_else(|| Problem::new(Code::NotFound))
    }
}

/// A part of a request, a parameter of a handler.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no part of a request",
    note = "parts are `Call<P>`, `Person`, `Operator`, `Path<T>`, `Query<T>`, `Among<T>`, `PageOf<T>`, `IfMatch`, `Conditions`, `Body<T>`, `Patch<T>`, `Once<S>`, `Visitor`"
)]
pub trait Part: Sized {
    fn take(intake: &mut Intake) -> impl Future<Output = Result<Self, Problem>>;

    /// Describes what the part takes from a request, and its error responses.
    fn describe(operation: &mut Described<'_>);
}

/// The head of a request, for what no other part gives.
impl Part for HttpRequest {
    async fn take(intake: &mut Intake) -> Result<Self, Problem> {
        Ok(intake.request.clone())
    }

    fn describe(_: &mut Described<'_>) {}
}

/// The running service.
impl Part for web::Data<Gateway> {
    async fn take(intake: &mut Intake) -> Result<Self, Problem> {
        intake.gateway().cloned()
    }

    fn describe(_: &mut Described<'_>) {}
}

/// The client's address, for calls whose credential is in their body, and which are limited by address.
impl Part for Visitor {
    async fn take(intake: &mut Intake) -> Result<Self, Problem> {
        Ok(visitor(&intake.request))
    }

    fn describe(operation: &mut Described<'_>) {
        operation.may_refuse(401, "NoAdmin");
        operation.may_refuse(403, "AdminForbidden");
        operation.may_refuse(429, "TooMany");
        operation.may_refuse(503, "Failed");
    }
}

/// A part whose refusal the handler itself answers.
impl<P: Part> Part for Result<P, Problem> {
    async fn take(intake: &mut Intake) -> Result<Self, Problem> {
        Ok(P::take(intake).await)
    }

    fn describe(operation: &mut Described<'_>) {
        P::describe(operation);
    }
}
