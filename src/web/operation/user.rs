//! Requests of users' pages.

use std::ops::Deref;

use actix_web::web;
use serde_json::json;

use super::describe::Described;
use super::part::{Intake, Part};
use crate::gateway::Gateway;
use crate::tenants::user_admission::{AdmittedUser, admit_user};
use crate::web::Problem;
use crate::web::cors::foreign_origin;
use crate::web::etag::{Conditions, Validator};
use crate::web::user::user_call;

/// A request of an admitted user.
#[derive(Debug)]
pub struct User {
    admitted: AdmittedUser,
    gateway: web::Data<Gateway>,
}

impl User {
    /// The running service.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// The user for use cases.
    pub fn admitted(&self) -> &AdmittedUser {
        &self.admitted
    }
}

impl Deref for User {
    type Target = AdmittedUser;

    fn deref(&self) -> &AdmittedUser {
        &self.admitted
    }
}

impl Part for User {
    async fn take(intake: &mut Intake) -> Result<Self, Problem> {
        let gateway = intake.gateway()?.clone();
        let origin = foreign_origin(&intake.request);
        let call = user_call(&intake.request, origin.as_deref())?;
        let admitted = admit_user(&gateway, call).await?;
        Ok(Self { admitted, gateway })
    }

    fn describe(operation: &mut Described<'_>) {
        operation.for_users();
    }
}

/// `If-Match` and `If-None-Match` of a change that may be made without them.
#[derive(Debug)]
pub struct OptionalIfMatch(Conditions);

impl OptionalIfMatch {
    /// Checks the state that the caller has seen, if they sent one.
    pub fn check(self, validator: &Validator) -> Result<(), Problem> {
        validator.check_write(self.0)
    }
}

impl Part for OptionalIfMatch {
    async fn take(intake: &mut Intake) -> Result<Self, Problem> {
        Ok(Self(Conditions::from(&intake.request)))
    }

    fn describe(operation: &mut Described<'_>) {
        operation.header(
            "If-Match",
            "The ETag that the change is based on: 412 if it is no longer true",
            &json!({ "type": "string" }),
            false,
        );
        operation.may_refuse(412, "Refused");
    }
}
