//! A call to the admin API: the caller, their permission, and the ways to do its work.

use std::fmt;
use std::ops::Deref;

use actix_web::http::StatusCode;
use actix_web::{FromRequest, web};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::body::{Key, Once, RequestBody};
use super::describe::Described;
use super::output::{Answer, Written};
use super::part::{Intake, Part};
use crate::gateway::Gateway;
use crate::repeats::KeyReused;
use crate::store::answers::GivenAnswer;
use crate::store::sealed::SealedColumn;
use crate::store::tenant_tx::TenantTx;
use crate::tenants::admin::Admin;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;
use crate::web::Problem;
use crate::web::admin::{Authorized, Permission};
use crate::web::codes::Code;
use crate::web::people::{Arriving, Operator, Person};
use crate::web::work::{Cache, Ready};

/// A call of an admin whose role has the permission `P`. It counts as in flight as long as this is held.
pub struct Call<P> {
    may: Authorized<P>,
    gateway: web::Data<Gateway>,
}

impl<P> Deref for Call<P> {
    type Target = Admin;

    fn deref(&self) -> &Admin {
        &self.may
    }
}

impl<P> fmt::Debug for Call<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Call").field(&self.may).finish()
    }
}

impl<P: Permission> Part for Call<P> {
    async fn take(intake: &mut Intake) -> Result<Self, Problem> {
        Ok(Self {
            gateway: intake.gateway()?.clone(),
            may: Authorized::extract(&intake.request).await?,
        })
    }

    fn describe(operation: &mut Described<'_>) {
        operation.for_admins(P::NAME);
    }
}

impl Part for Person {
    async fn take(intake: &mut Intake) -> Result<Self, Problem> {
        Self::extract(&intake.request).await
    }

    fn describe(operation: &mut Described<'_>) {
        operation.for_admins("person");
    }
}

impl Part for Operator {
    async fn take(intake: &mut Intake) -> Result<Self, Problem> {
        Self::extract(&intake.request).await
    }

    fn describe(operation: &mut Described<'_>) {
        operation.for_admins("operator");
    }
}

impl Part for Arriving {
    async fn take(intake: &mut Intake) -> Result<Self, Problem> {
        Self::extract(&intake.request).await
    }

    fn describe(operation: &mut Described<'_>) {
        operation.for_admins("person");
    }
}

impl<P> Call<P> {
    /// Who calls.
    pub fn admin(&self) -> &Admin {
        &self.may
    }

    /// The running service.
    pub fn gateway(&self) -> &web::Data<Gateway> {
        &self.gateway
    }

    /// A transaction to read the tenant's rows.
    pub async fn read(&self) -> Result<TenantTx, Problem> {
        Ok(self.gateway.database.tenant(self.tenant).await?)
    }

    /// Runs a job on a work thread: for many rows or large documents.
    pub async fn work<T: Send + 'static>(
        &self,
        job: impl AsyncFnOnce(&Gateway) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let inside = self.gateway.clone().into_inner();
        let done = self
            .gateway
            .work(self.tenant, async move || job(&inside).await);
        done.await?
    }

    /// Makes a change on a work thread, in one transaction with its rows in the audit trail.
    pub async fn change<T: Send + 'static>(
        &self,
        make: impl AsyncFnOnce(&mut Change) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let admin = Admin::clone(self);
        self.work(async move |gateway| {
            let mut change = Change::begin(gateway, &admin).await?;
            let answer = make(&mut change).await?;
            change.commit().await?;
            Ok(answer)
        })
        .await
    }

    /// Makes a change on a work thread and rolls it back.
    pub async fn try_out<T: Send + 'static>(
        &self,
        make: impl AsyncFnOnce(&mut Change) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let admin = Admin::clone(self);
        self.work(async move |gateway| make(&mut Change::begin(gateway, &admin).await?).await)
            .await
    }

    /// Makes a change from a body once: a repeated call with the same key gets the first answer, for a day.
    ///
    /// The key is taken, the change made and the answer stored in one transaction: either all of it happened, or the call can be
    /// again as if for the first time. Answers to refused calls are not kept.
    pub async fn once<S: RequestBody, O: Written + Send + 'static>(
        &self,
        sent: Once<S>,
        make: impl AsyncFnOnce(&mut Change, S::Input) -> Answer<O> + Send + 'static,
    ) -> Answer<O> {
        let Once { sent, key } = sent;
        let admin = Admin::clone(self);
        self.work(async move |gateway| {
            let mut change = Change::begin(gateway, &admin).await?;
            let Some(Key { key, asked }) = key else {
                let answer = make(&mut change, sent.into_checked()?).await?;
                change.commit().await?;
                return Ok(answer);
            };
            let place = |row| SealedColumn::GivenAnswer.place(admin.tenant, row);
            match change
                .tx
                .take_answer(&admin.actor.label, &key, &asked)
                .await?
            {
                GivenAnswer::New(row) => {
                    let ready: Ready = make(&mut change, sent.into_checked()?).await?.into();
                    let text = SecretString::from(StoredAnswer::from_ready(&ready).to_text());
                    let sealed = gateway
                        .keys
                        .seal(&text, &place(row))
                        .map_err(Refusal::from)?;
                    change.tx.store_answer(row, &sealed).await?;
                    change.commit().await?;
                    Ok(ready.into())
                }
                GivenAnswer::Known { request_hash, .. } if request_hash != asked => {
                    Err(KeyReused.into())
                }
                GivenAnswer::Known { row, sealed, .. } => {
                    let text = gateway
                        .keys
                        .open(&sealed, &place(row))
                        .map_err(Refusal::from)?;
                    let kept: StoredAnswer = serde_json::from_str(text.expose_secret())
                        .map_err(|_unreadable| Problem::new(Code::Internal))?;
                    Ok(Ready::from(kept).into())
                }
            }
        })
        .await
    }
}

/// An answer as it is stored for repeated calls.
#[derive(Debug, Serialize, Deserialize)]
struct StoredAnswer {
    status: u16,
    location: Option<String>,
    etag: Option<String>,
    body: Box<RawValue>,
}

impl StoredAnswer {
    fn from_ready(ready: &Ready) -> Self {
        let body = String::from_utf8_lossy(&ready.body).into_owned();
        Self {
            status: ready.status.as_u16(),
            location: ready.location.clone(),
            etag: ready.etag.clone(),
            body: RawValue::from_string(body).unwrap_or_default(),
        }
    }

    fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl From<StoredAnswer> for Ready {
    fn from(kept: StoredAnswer) -> Self {
        Self {
            status: StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK),
            location: kept.location,
            etag: kept.etag,
            body: kept.body.get().to_owned().into(),
            cache: Cache::default(),
        }
    }
}
