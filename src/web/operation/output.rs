//! Answers of operations.

use std::marker::PhantomData;

use actix_web::http::header::ETAG;
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::describe::Described;
use crate::web::Problem;
use crate::web::etag::{Validator, is_known};
use crate::web::work::{Cache, Ready};

/// The result of a handler.
pub type Answer<T> = Result<T, Problem>;

#[diagnostic::on_unimplemented(
    message = "`{Self}` is no answer of an operation",
    note = "answers are `Json<T>`, `Tagged<T>`, `Created<T>`, `Page<T>`, `NoContent`, or what implements `Output`"
)]
pub trait Output {
    fn into_response(self, request: &HttpRequest) -> HttpResponse;

    fn describe(operation: &mut Described<'_>);
}

/// An answer that can be stored for repeated calls.
pub trait Written: Output + From<Ready> + Into<Ready> {}

impl<T: Output + From<Ready> + Into<Ready>> Written for T {}

macro_rules! written {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name<T>(Ready, PhantomData<fn() -> T>);

        impl<T> $name<T> {
            /// The user's own browser may keep it.
            #[must_use]
            pub fn private(self) -> Self {
                self.0.cache(Cache::Private).into()
            }
        }

        impl<T> From<Ready> for $name<T> {
            fn from(ready: Ready) -> Self {
                Self(ready, PhantomData)
            }
        }

        impl<T> From<$name<T>> for Ready {
            fn from(answer: $name<T>) -> Self {
                answer.0
            }
        }
    )+};
}

written! {
    /// 200, with a body without an `ETag`.
    Json;
    /// 200, with a body and its `ETag`; 304 to clients that have it.
    Tagged;
    /// 201, with the new resource and its `Location`.
    Created;
    /// 200, with what was written and its `ETag`; 201 where nothing was there before.
    Stored;
}

impl<T: Serialize> Json<T> {
    pub fn new(body: &T) -> Self {
        Ready::ok(body).into()
    }
}

impl<T: Serialize> Tagged<T> {
    /// A body with its state, which becomes the `ETag`.
    pub fn new(body: &T, validator: &Validator) -> Self {
        Ready::ok(body)
            .etag(Some(validator.etag().to_owned()))
            .into()
    }
}

impl<T: Serialize> Created<T> {
    /// A body without a `Location`.
    pub fn new(body: &T) -> Self {
        Ready::ok(body).status(StatusCode::CREATED).into()
    }

    /// Sets `Location`.
    pub fn at(location: impl Into<String>, body: &T) -> Self {
        Ready::ok(body)
            .status(StatusCode::CREATED)
            .location(Some(location.into()))
            .into()
    }

    /// Sets the state, which becomes the `ETag`.
    #[must_use]
    pub fn with_state(self, validator: &Validator) -> Self {
        self.0.etag(Some(validator.etag().to_owned())).into()
    }
}

impl<T: Serialize> Stored<T> {
    /// A body with its state, which becomes the `ETag`.
    pub fn new(body: &T, validator: &Validator, is_new: bool) -> Self {
        let status = if is_new {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        };
        Ready::ok(body)
            .status(status)
            .etag(Some(validator.etag().to_owned()))
            .into()
    }
}

impl<T: ToSchema> Output for Json<T> {
    fn into_response(self, _: &HttpRequest) -> HttpResponse {
        self.0.into()
    }

    fn describe(operation: &mut Described<'_>) {
        operation.answers_with::<T>(200, &[]);
    }
}

const STATE: (&str, &str) = ("ETag", "Its state");

impl<T: ToSchema> Output for Tagged<T> {
    fn into_response(self, request: &HttpRequest) -> HttpResponse {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        match &self.0.etag {
            Some(tag) if is_read && is_known(request, tag) => HttpResponse::NotModified()
                .insert_header((ETAG, tag.as_str()))
                .finish(),
            _ => self.0.into(),
        }
    }

    fn describe(operation: &mut Described<'_>) {
        operation.answers_with::<T>(200, &[STATE]);
        if operation.is_read() {
            operation.header(
                "If-None-Match",
                "An ETag that was seen before: 304 while it is still so",
                &json!({ "type": "string" }),
                false,
            );
            operation.answers(304, &json!({ "description": "Nothing changed since" }));
        }
    }
}

impl<T: ToSchema> Output for Created<T> {
    fn into_response(self, _: &HttpRequest) -> HttpResponse {
        self.0.into()
    }

    fn describe(operation: &mut Described<'_>) {
        operation.answers_with::<T>(201, &[("Location", "Where it is"), STATE]);
    }
}

impl<T: ToSchema> Output for Stored<T> {
    fn into_response(self, _: &HttpRequest) -> HttpResponse {
        self.0.into()
    }

    fn describe(operation: &mut Described<'_>) {
        operation.answers_with::<T>(200, &[STATE]);
        operation.answers_with::<T>(201, &[STATE]);
    }
}

/// An answer that can also be an error for the reason `R`, which no part of the request describes.
#[derive(Debug)]
pub struct Unless<R, O>(pub O, PhantomData<fn() -> R>);

/// A reason for an error response.
pub trait Reason {
    const STATUS: u16;
    /// The name of the response in the document.
    const RESPONSE: &'static str;
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident: $status:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl Reason for $name {
            const STATUS: u16 = $status;
            const RESPONSE: &'static str = stringify!($name);
        }
    )+};
}

reasons! {
    /// 404: something that the request names does not exist.
    Absent: 404;
    /// 409: the request conflicts with the present state.
    Conflicting: 409;
    /// 410: what the request needs was deleted.
    Expired: 410;
}

impl<R, O> From<O> for Unless<R, O> {
    fn from(answer: O) -> Self {
        Self(answer, PhantomData)
    }
}

impl<R: Reason, O: Output> Output for Unless<R, O> {
    fn into_response(self, request: &HttpRequest) -> HttpResponse {
        self.0.into_response(request)
    }

    fn describe(operation: &mut Described<'_>) {
        O::describe(operation);
        operation.may_refuse(R::STATUS, R::RESPONSE);
    }
}

/// 204, without a body.
#[derive(Debug)]
pub struct NoContent;

impl Output for NoContent {
    fn into_response(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::NoContent().finish()
    }

    fn describe(operation: &mut Described<'_>) {
        operation.answers(204, &json!({ "description": "Done" }));
    }
}
