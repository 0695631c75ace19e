//! The API without a network: what the console asks, and what it is told. A page can do nothing that the API can't, and each call is
//! authenticated, limited, checked and audited as one from outside.

use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;

use actix_web::http::header::HeaderMap;
use actix_web::http::{Method, StatusCode, Uri};
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;

use crate::domain::ids::RequestId;

/// A call to the API.
#[derive(Debug)]
pub struct Ask {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Whom the page is for: the API counts the call as theirs.
    pub peer: Option<SocketAddr>,
    /// The page's request: the audit trail has the same id.
    pub request: Option<RequestId>,
}

/// What the API answered.
#[derive(Debug)]
pub struct Answered {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// The API of this worker.
#[derive(Clone)]
pub struct Inside(Rc<dyn Fn(Ask) -> LocalBoxFuture<'static, Answered>>);

impl fmt::Debug for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inside")
    }
}

impl Inside {
    /// An API that answers with `answer`.
    pub fn new(answer: impl Fn(Ask) -> LocalBoxFuture<'static, Answered> + 'static) -> Self {
        Self(Rc::new(answer))
    }

    /// Makes a call.
    pub async fn ask(&self, ask: Ask) -> Answered {
        (self.0)(ask).await
    }
}
