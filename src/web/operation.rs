//! Operations of the API. One line of a table and the types of a handler's signature declare an operation; the routes, HEAD, 405 with
//! `Allow` and the entry in the `OpenAPI` document follow from them.

mod address;
mod body;
mod call;
pub mod describe;
mod handler;
mod headers;
mod output;
mod page;
mod parameters;
mod part;
mod recent;
mod user;

use std::fmt;

use actix_web::http::Method;
use actix_web::web::ServiceConfig;
use actix_web::{ResponseError, Route, guard, web};

pub use self::body::{Body, Once, Patch};
pub use self::call::Call;
pub use self::describe::{Described, Document};
pub use self::handler::Handler;
pub use self::headers::{IfMatch, idempotency_key};
pub use self::output::{
    Absent, Answer, Conflicting, Created, Expired, Json, NoContent, Output, Stored, Tagged, Unless,
    Written,
};
pub use self::page::{Page, PageOf};
pub use self::parameters::{PartialQuery, Path, PathPart, Query, TenantName};
pub use self::part::{Intake, Part};
pub use self::recent::{Provable, Recent};
pub use self::user::{OptionalIfMatch, User};
use super::Problem;
use super::codes::Code;
use super::input::schemas;

/// The operations of a resource.
pub struct Operations {
    tag: &'static str,
    addresses: Vec<Address>,
}

struct Address {
    path: &'static str,
    operations: Vec<Operation>,
}

struct Operation {
    method: Method,
    id: &'static str,
    doc: String,
    describe: fn(&mut Described<'_>),
    route: Box<dyn Fn(Route) -> Route>,
}

impl fmt::Debug for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths = self.addresses.iter().map(|address| address.path);
        f.debug_list().entries(paths).finish()
    }
}

impl Operations {
    /// Starts an empty table; the document groups its operations under `tag`.
    pub fn new(tag: &'static str) -> Self {
        Self {
            tag,
            addresses: Vec::new(),
        }
    }

    /// Starts a path, to which the operations that follow belong: literal segments and parameters such as `{draft}`. A parameter matches
    /// no slashes and colons, unless it has a pattern of its own (`{subject:[^/]+}`).
    #[must_use]
    pub fn at(mut self, path: &'static str) -> Self {
        self.addresses.push(Address {
            path,
            operations: Vec::new(),
        });
        self
    }

    /// Adds an operation at the last path.
    #[must_use]
    pub fn with<A, H: Handler<A>>(
        mut self,
        method: Method,
        id: &'static str,
        doc: &[&str],
        handler: H,
    ) -> Self {
        if let Some(address) = self.addresses.last_mut() {
            let path = address.path;
            address.operations.push(Operation {
                method,
                id,
                doc: schemas::text(doc),
                describe: H::describe,
                route: Box::new(move |route| {
                    let handler = handler.clone();
                    route.to(move |request, payload| {
                        handler.answer(Intake::new(path, request, payload))
                    })
                }),
            });
        }
        self
    }

    /// Registers the routes with actix.
    pub fn configure(&self, config: &mut ServiceConfig) {
        for address in &self.addresses {
            let mut resource = web::resource(address::pattern(address.path));
            let mut allowed = Vec::new();
            for operation in &address.operations {
                allowed.push(operation.method.as_str());
                let route = if operation.method == Method::GET {
                    // HEAD is the same without its body (RFC 9110, section 9.3.2).
                    allowed.push("HEAD");
                    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
                } else {
                    web::method(operation.method.clone())
                };
                resource = resource.route((operation.route)(route));
            }
            let allowed = allowed.join(", ");
            // Any other method is answered with the ones that exist (RFC 9110, section 15.5.6).
            config.service(resource.default_service(web::to(move || {
                let problem = Problem::new(Code::MethodNotAllowed).allow(&allowed);
                async move { problem.error_response() }
            })));
        }
    }

    /// Adds the operations to the `OpenAPI` document.
    pub fn describe(&self, document: &mut Document) {
        for address in &self.addresses {
            for operation in &address.operations {
                document.add(
                    self.tag,
                    address.path,
                    &operation.method,
                    operation.id,
                    &operation.doc,
                    operation.describe,
                );
            }
        }
    }
}

/// Declares the operations of a resource: a function `operations` that gives them.
///
/// ```text
/// operations! {
///     "Admin: drafts";
///
///     "/v1/admin/drafts/{draft}" {
///         /// One draft.
///         GET getDraft => get;
///         /// Writes a draft. What was read must still be so.
///         PUT putDraft => put;
///     }
/// }
/// ```
macro_rules! operations {
    ($tag:literal; $(
        $path:literal {
            $($(#[doc = $doc:literal])+ $method:ident $id:ident => $handler:path;)+
        }
    )+) => {
        /// The operations of this resource.
        pub fn operations() -> $crate::web::operation::Operations {
            $crate::web::operation::Operations::new($tag)
                $(
                    .at($path)
                    $(.with(actix_web::http::Method::$method, stringify!($id), &[$($doc),+], $handler))+
                )+
        }
    };
}

pub(crate) use operations;
