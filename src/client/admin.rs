//! What a tenant's people do.

use chrono::{DateTime, Utc};
use futures_util::stream::Stream;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::error::ClientError;
use super::transport::{Answer, Call, Client, Repeat, segment};
use super::types::{Document, Draft, Kind, Me, NewBundle, Release, Version};

impl Client {
    pub async fn me(&self) -> Result<Me, ClientError> {
        self.send(Call::get("v1/admin/me")).await?.read()
    }

    /// The tenant's documents, by kind and key; of one kind, or all.
    pub fn documents(
        &self,
        kind: Option<Kind>,
    ) -> impl Stream<Item = Result<Document, ClientError>> + use<> {
        let kind = kind.map(|kind| kind.to_string());
        let filters: Vec<(&str, &str)> = kind.iter().map(|kind| ("kind", kind.as_str())).collect();
        self.list("v1/admin/documents", &filters)
    }

    pub async fn document(&self, kind: Kind, key: &str) -> Result<Document, ClientError> {
        self.send(Call::get(place(kind, key))).await?.read()
    }

    /// Makes a document with its first draft.
    pub async fn create_document(
        &self,
        kind: Kind,
        key: &str,
        title: &str,
        content: &Map<String, Value>,
    ) -> Result<Draft, ClientError> {
        let body = json!({ "kind": kind, "key": key, "title": title, "content": content });
        let call = Call::post("v1/admin/documents", Repeat::Keyed).body(&body);
        draft(&self.send(call).await?)
    }

    /// Opens a draft on the newest version.
    pub async fn open_draft(
        &self,
        kind: Kind,
        key: &str,
        title: &str,
    ) -> Result<Draft, ClientError> {
        let path = format!("{}/drafts", place(kind, key));
        let call = Call::post(path, Repeat::Keyed).body(&json!({ "title": title }));
        draft(&self.send(call).await?)
    }

    /// Reads a draft.
    pub async fn draft(&self, id: uuid::Uuid) -> Result<Draft, ClientError> {
        draft(
            &self
                .send(Call::get(format!("v1/admin/drafts/{id}")))
                .await?,
        )
    }

    /// Writes a draft, provided that nobody has since it was read.
    pub async fn write_draft(
        &self,
        read: &Draft,
        content: Map<String, Value>,
    ) -> Result<Draft, ClientError> {
        let call = Call::new(Method::PUT, draft_place(read), Repeat::Refused)
            .body(&json!({ "content": content }))
            .if_match(&read.etag);
        draft(&self.send(call).await?)
    }

    /// Throws a draft away, provided that nobody has written since it was read.
    pub async fn discard_draft(&self, read: &Draft) -> Result<(), ClientError> {
        let call = Call::new(Method::DELETE, draft_place(read), Repeat::Refused);
        self.send(call.if_match(&read.etag)).await.map(|_empty| ())
    }

    /// Every finding about a draft, as the API tells them.
    pub async fn validate(&self, read: &Draft) -> Result<Value, ClientError> {
        let path = format!("{}:validate", draft_place(read));
        self.send(Call::post(path, Repeat::Always)).await?.read()
    }

    /// Seals a draft, provided that nobody has written since it was read: it becomes the next version.
    pub async fn seal(&self, read: &Draft, message: &str) -> Result<Version, ClientError> {
        let path = format!("{}:seal", draft_place(read));
        let call = Call::post(path, Repeat::Keyed)
            .body(&json!({ "message": message }))
            .if_match(&read.etag);
        self.send(call).await?.read()
    }

    /// A document's versions, newest first.
    pub fn versions(
        &self,
        kind: Kind,
        key: &str,
    ) -> impl Stream<Item = Result<Version, ClientError>> + use<> {
        self.list(&format!("{}/versions", place(kind, key)), &[])
    }

    pub async fn version(
        &self,
        kind: Kind,
        key: &str,
        number: i32,
    ) -> Result<Version, ClientError> {
        let path = format!("{}/versions/{number}", place(kind, key));
        self.send(Call::get(path)).await?.read()
    }

    /// Makes a version live: now, or from a moment on.
    pub async fn release(
        &self,
        kind: Kind,
        key: &str,
        version: i32,
        live_from: Option<DateTime<Utc>>,
        note: &str,
    ) -> Result<Release, ClientError> {
        let mut body = json!({ "version": version, "note": note });
        if let (Some(moment), Value::Object(members)) = (live_from, &mut body) {
            members.insert("liveFrom".into(), json!(moment));
        }
        let path = format!("{}/releases", place(kind, key));
        self.send(Call::post(path, Repeat::Keyed).body(&body))
            .await?
            .read()
    }

    /// Releases a version to this many of a hundred users (1 to 99), beside the live one: a rollout. Another share takes its place, and a
    /// release to everybody ends it.
    pub async fn roll_out(
        &self,
        kind: Kind,
        key: &str,
        version: i32,
        percent: u8,
        note: &str,
    ) -> Result<Release, ClientError> {
        let body = json!({ "version": version, "percent": percent, "note": note });
        let path = format!("{}/releases", place(kind, key));
        self.send(Call::post(path, Repeat::Keyed).body(&body))
            .await?
            .read()
    }

    /// A document's releases, newest first.
    pub fn releases(
        &self,
        kind: Kind,
        key: &str,
    ) -> impl Stream<Item = Result<Release, ClientError>> + use<> {
        self.list(&format!("{}/releases", place(kind, key)), &[])
    }

    /// Goes back to the version that was live before.
    pub async fn roll_back(
        &self,
        kind: Kind,
        key: &str,
        note: &str,
    ) -> Result<Release, ClientError> {
        let path = format!("{}:rollback", place(kind, key));
        let call = Call::post(path, Repeat::Keyed).body(&json!({ "note": note }));
        self.send(call).await?.read()
    }

    /// What a user would get, as the API tells it; nothing is minted. `request` is the body of `POST /v1/admin/preview`.
    pub async fn preview(&self, request: &Value) -> Result<Value, ClientError> {
        let call = Call::post("v1/admin/preview", Repeat::Always).body(request);
        self.send(call).await?.read()
    }

    /// The whole tenant as a bundle.
    pub async fn export(&self) -> Result<Value, ClientError> {
        self.send(Call::get("v1/admin/bundle")).await?.read()
    }

    /// Makes the tenant as a bundle says; gives the plan. A call that is repeated gets the first plan.
    pub async fn apply(&self, bundle: &NewBundle) -> Result<Value, ClientError> {
        let call = Call::post("v1/admin/bundle:apply", Repeat::Keyed).body(bundle);
        self.send(call).await?.read()
    }
}

fn place(kind: Kind, key: &str) -> String {
    format!("v1/admin/documents/{kind}/{}", segment(key))
}

fn draft_place(draft: &Draft) -> String {
    format!("v1/admin/drafts/{}", draft.id)
}

fn draft(answer: &Answer) -> Result<Draft, ClientError> {
    let mut draft: Draft = answer.read()?;
    draft.etag = answer.etag.clone().unwrap_or_default();
    Ok(draft)
}
