//! Admins' requests that take the processor for long: a work thread does them, from the first row to the last byte of the answer.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION};
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use serde::Serialize;

use super::Problem;
use crate::domain::ids::TenantId;
use crate::gateway::Gateway;
use crate::store::StoreError;
use crate::tenants::refusal::Refusal;

/// An answer with a JSON body, written out.
#[derive(Debug)]
pub struct Ready {
    pub(super) status: StatusCode,
    pub(super) location: Option<String>,
    pub(super) etag: Option<String>,
    pub(super) body: Bytes,
    pub(super) cache: Cache,
}

/// `Cache-Control` of an answer.
#[derive(Debug, Clone, Copy, Default)]
pub enum Cache {
    #[default]
    NoStore,
    /// The user's own browser, which asks each time whether it is still so.
    Private,
}

impl Cache {
    fn as_str(self) -> &'static str {
        match self {
            Self::NoStore => "no-store",
            Self::Private => "private, no-cache",
        }
    }
}

impl Ready {
    /// 200, with this body.
    pub fn ok(body: &impl Serialize) -> Self {
        Self {
            status: StatusCode::OK,
            location: None,
            etag: None,
            body: serde_json::to_vec(body).unwrap_or_default().into(),
            cache: Cache::default(),
        }
    }

    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Sets `Location`.
    #[must_use]
    pub fn location(mut self, location: Option<String>) -> Self {
        self.location = location;
        self
    }

    #[must_use]
    pub fn cache(mut self, cache: Cache) -> Self {
        self.cache = cache;
        self
    }

    /// The state of what is shown.
    #[must_use]
    pub fn etag(mut self, etag: Option<String>) -> Self {
        self.etag = etag;
        self
    }
}

impl From<Ready> for HttpResponse {
    fn from(ready: Ready) -> Self {
        let mut answer = Self::build(ready.status);
        answer.insert_header((CACHE_CONTROL, ready.cache.as_str()));
        answer.insert_header((CONTENT_TYPE, "application/json"));
        if let Some(location) = ready.location {
            answer.insert_header((LOCATION, location));
        }
        if let Some(etag) = ready.etag {
            answer.insert_header((ETAG, etag));
        }
        answer.body(ready.body)
    }
}

/// Something that is written out in pieces.
pub trait Pieces: Send + 'static {
    /// The next piece; `None` after the last one.
    fn next(&mut self) -> impl Future<Output = Result<Option<String>, StoreError>>;
}

/// Lets work threads write an answer in pieces, as the client takes them; the request counts as under way until the last: it
/// keeps what it was `admitted` with. The first piece is made at once: an answer that has begun can't turn into a problem any more.
pub async fn in_pieces<A>(
    gateway: web::Data<Gateway>,
    of: TenantId,
    admitted: A,
    pieces: impl Pieces,
) -> Result<impl Stream<Item = Result<Bytes, Refusal>>, Problem> {
    let (first, pieces) = piece(&gateway, of, pieces).await?;
    let begun = (gateway, admitted, pieces, Some(first));
    Ok(stream::try_unfold(
        begun,
        move |(gateway, admitted, pieces, first)| async move {
            let (piece, pieces) = match first {
                Some(first) => (first, pieces),
                None => piece(&gateway, of, pieces).await?,
            };
            Ok(piece.map(|text| (Bytes::from(text), (gateway, admitted, pieces, None))))
        },
    ))
}

async fn piece<W: Pieces>(
    gateway: &Gateway,
    of: TenantId,
    mut pieces: W,
) -> Result<(Option<String>, W), Refusal> {
    let written = gateway.work(of, async move || {
        let piece = pieces.next().await?;
        Ok((piece, pieces))
    });
    written.await?
}
