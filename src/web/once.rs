//! Creating calls that can be repeated: with an `Idempotency-Key` the first answer is given again, for a day.
//!
//! The key is taken, the change made and the answer stored in one transaction: either all of it happened, or the call can be
//! made again as if for the first time. Answers to refused calls are not kept.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Problem;
use super::codes::Code;
use super::work::{Ready, work};
use crate::crypto::digest::sha256;
use crate::domain::fault::Fault;
use crate::gateway::Gateway;
use crate::store::answers::GivenAnswer;
use crate::store::sealed::SealedColumn;
use crate::tenants::admin::Admin;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// What a creating call answers.
#[derive(Debug, Serialize, Deserialize)]
pub struct Created {
    status: u16,
    location: Option<String>,
    etag: Option<String>,
    body: Value,
}

impl Created {
    /// 201: something new, at this address.
    pub fn at(location: impl Into<String>, body: &impl Serialize) -> Self {
        Self {
            status: StatusCode::CREATED.as_u16(),
            location: Some(location.into()),
            etag: None,
            body: serde_json::to_value(body).unwrap_or_default(),
        }
    }

    /// 200: something was done, which has no address of its own.
    pub fn done(body: &impl Serialize) -> Self {
        Self {
            status: StatusCode::OK.as_u16(),
            location: None,
            etag: None,
            body: serde_json::to_value(body).unwrap_or_default(),
        }
    }

    /// 202: something new, at this address, which waits for others.
    pub fn waiting(location: impl Into<String>, body: &impl Serialize) -> Self {
        Self {
            status: StatusCode::ACCEPTED.as_u16(),
            ..Self::at(location, body)
        }
    }

    /// Adds the new thing's `ETag`.
    #[must_use]
    pub fn etag(mut self, etag: &str) -> Self {
        self.etag = Some(etag.to_owned());
        self
    }

    /// The answer, written out.
    pub fn ready(self) -> Ready {
        Ready::ok(&self.body)
            .status(StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK))
            .location(self.location)
            .etag(self.etag)
    }
}

/// Makes a change once out of a body, however often the call is repeated with the same key. A work thread does it.
pub async fn once<B>(
    request: &HttpRequest,
    gateway: &web::Data<Gateway>,
    admin: &Admin,
    body: B,
    make: impl AsyncFnOnce(&mut Change, B) -> Result<Created, Problem> + Send + 'static,
) -> Result<HttpResponse, Problem>
where
    B: Serialize + Send + 'static,
{
    let key = idempotency_key(request)?;
    let operation = (request.method().to_string(), request.uri().to_string());
    let maker = admin.clone();
    work(gateway, admin, async move |gateway| {
        let mut change = Change::begin(gateway, &maker).await?;
        let Some(key) = key else {
            let created = make(&mut change, body).await?;
            change.commit().await?;
            return Ok(created.ready());
        };
        let asked = serde_json::to_vec(&(operation.0, operation.1, &body));
        let asked = sha256(&asked.unwrap_or_default());
        let actor = maker.actor.label.clone();
        match change.tx.take_answer(&actor, &key, &asked).await? {
            GivenAnswer::New(row) => {
                let created = make(&mut change, body).await?;
                let text = SecretString::from(serde_json::to_string(&created).unwrap_or_default());
                let sealed = gateway
                    .keys
                    .seal(&text, &SealedColumn::GivenAnswer.place(maker.tenant, row))
                    .map_err(Refusal::from)?;
                change.tx.store_answer(row, &sealed).await?;
                change.commit().await?;
                Ok(created.ready())
            }
            GivenAnswer::Known { request_hash, .. } if request_hash != asked => Err(Problem::new(
                Code::IdempotencyKeyReused,
            )
            .detail("This Idempotency-Key was sent with another request before: take a new one.")),
            GivenAnswer::Known { row, sealed, .. } => {
                let text = gateway
                    .keys
                    .open(&sealed, &SealedColumn::GivenAnswer.place(maker.tenant, row))
                    .map_err(Refusal::from)?;
                let created: Created = serde_json::from_str(text.expose_secret())
                    .map_err(|_unreadable| Problem::new(Code::Internal))?;
                Ok(created.ready())
            }
        }
    })
    .await
}

/// One printable ASCII text of 1 to 255 characters.
pub(super) fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let mut sent = request.headers().get_all(IDEMPOTENCY_KEY);
    let Some(first) = sent.next() else {
        return Ok(None);
    };
    let text = first.to_str().unwrap_or_default();
    let fits = (1..=255).contains(&text.len()) && text.bytes().all(|b| (0x20..0x7f).contains(&b));
    if fits && sent.next().is_none() {
        Ok(Some(text.to_owned()))
    } else {
        Err(Problem::new(Code::InvalidRequest).errors(vec![Fault::new(
            "",
            "the Idempotency-Key must be one text of 1 to 255 printable ASCII characters",
        )]))
    }
}
