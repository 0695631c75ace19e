//! `/v1/admin/documents`: personas, contexts and snippets as wholes.

use super::amend;
use super::drafts::DraftBody;
use super::views::document::{DocumentBody, seen_document, validator};
use crate::authoring::create;
use crate::authoring::documents;
use crate::authoring::drafts::MAX_TITLE;
use crate::authoring::export::order;
use crate::domain::document::DocumentKind;
use crate::domain::ids::TenantId;
use crate::domain::key::Key;
use crate::gateway::Gateway;
use crate::sources::load::Served;
use crate::store::documents::DocumentFilter;
use crate::web::admin::{Edit, Publish, View};
use crate::web::input::{Block, Line, Object, VersionNumber, WholeNumber, input};
use crate::web::operation::{
    Answer, Body, Call, Created, IfMatch, Json, NoContent, Once, Page, PageOf, Path, Tagged,
    operations,
};

operations! {
    "Admin: documents";

    "/v1/admin/documents" {
        /// Lists the tenant's documents, by kind and key.
        GET listDocuments => list;
        /// Creates a document with its first draft.
        POST createDocument => create;
    }
    "/v1/admin/documents/{kind}/{key}" {
        /// Returns one document, and which version of it is live.
        GET getDocument => get;
        /// Changes what is live, in one call: applies a patch to the live version, seals the result as a new version and releases
        /// it. All of it happens or nothing. If the policy asks for approvals, the answer is 202: the version is sealed, and is
        /// released by another call once it is approved.
        PATCH patchDocument => amend::amend;
        /// Deletes a document that was never released, with its drafts and versions. A document that was released can be archived.
        DELETE deleteDocument => delete;
    }
    "/v1/admin/documents/{kind}/{key}:duplicate" {
        /// Creates a document whose first draft has the content of this one.
        POST duplicateDocument => duplicate;
    }
    "/v1/admin/documents/{kind}/{key}:rename" {
        /// Changes the key of a document that was never released. Drafts that name the old key are not changed.
        POST renameDocument => rename;
    }
    "/v1/admin/documents/{kind}/{key}:archive" {
        /// Archives a document, unless something live needs it. Its versions are kept.
        POST archiveDocument => archive;
    }
    "/v1/admin/documents/{kind}/{key}:restore" {
        /// Restores an archived document: what was live of it is live again.
        POST restoreDocument => restore;
    }
}

input! {
    /// A new document with its first draft.
    struct NewDocument {
        /// The kind of document, which never changes.
        #[example("snippet")]
        kind: DocumentKind,
        /// Its name within the kind.
        #[example("house-rules")]
        key: Key,
        /// What the draft is about.
        title: Block<MAX_TITLE> = Block::default(),
        /// The draft's content; may have faults still.
        #[example({ "text": "Be kind." })]
        content: Object = Object::new(),
    }

    /// A copy of a document.
    struct Duplicate {
        /// The copy's name within the kind.
        #[example("support-agent-fr")]
        key: Key,
        /// The version to copy. Unless set: the live one, else the newest, else the draft that was written last.
        from: Option<VersionNumber>,
        /// What the draft is about.
        title: Block<MAX_TITLE> = Block::default(),
    }

    /// Another key.
    struct Rename {
        /// The document's name from now on.
        #[example("house-rules")]
        key: Key,
    }

    /// Filters for documents.
    struct DocumentsFilter {
        /// Only documents of this kind.
        kind: Option<DocumentKind>,
        /// Only those whose key holds this text.
        holds: Option<Line<64>>,
        /// Includes archived documents.
        archived: bool = false,
    }
}

async fn list(call: Call<View>, page: PageOf<DocumentsFilter>) -> Answer<Page<DocumentBody>> {
    let asked = &page.filter;
    let filter = DocumentFilter {
        kind: asked.kind,
        key: None,
        holds: asked.holds.as_deref(),
        archived: asked.archived,
        after: page.after().and_then(|at| at.split_once('/')),
    };
    let mut tx = call.read().await?;
    let rows = tx.documents(&filter, page.rows()).await?;
    tx.commit().await?;
    let gateway = call.gateway();
    let serving = gateway
        .sources
        .serving(&gateway.database, call.tenant)
        .await?;
    Ok(page.of(
        rows,
        |row| format!("{}/{}", row.kind.as_str(), row.key),
        |row| DocumentBody::new(row, &serving),
    ))
}

async fn create(call: Call<Edit>, sent: Once<Body<NewDocument>>) -> Answer<Created<DraftBody>> {
    call.once(sent, async move |change, sent| {
        let NewDocument {
            kind,
            key,
            title,
            content,
        } = sent;
        let draft = create::create(change, kind, &key, &title, content).await?;
        Ok(DraftBody::from(draft).created())
    })
    .await
}

async fn get(
    call: Call<View>,
    Path(kind): Path<DocumentKind>,
    Path(key): Path<Key>,
) -> Answer<Tagged<DocumentBody>> {
    read(call.gateway(), call.tenant, kind, &key).await
}

async fn delete(
    call: Call<Edit>,
    Path(kind): Path<DocumentKind>,
    Path(key): Path<Key>,
    seen: IfMatch,
) -> Answer<NoContent> {
    call.change(async move |change| {
        seen_document(change, seen, kind, &key).await?;
        documents::delete(change, kind, &key).await?;
        Ok(NoContent)
    })
    .await
}

async fn duplicate(
    call: Call<Edit>,
    Path(kind): Path<DocumentKind>,
    Path(key): Path<Key>,
    sent: Once<Body<Duplicate>>,
) -> Answer<Created<DraftBody>> {
    call.once(sent, async move |change, sent| {
        let Duplicate {
            key: copy,
            from,
            title,
        } = sent;
        let from = from.map(WholeNumber::get);
        let draft = create::duplicate(change, kind, &key, &copy, from, &title).await?;
        Ok(DraftBody::from(draft).created())
    })
    .await
}

async fn rename(
    call: Call<Edit>,
    Path(kind): Path<DocumentKind>,
    Path(key): Path<Key>,
    sent: Once<Body<Rename>>,
) -> Answer<Json<DocumentBody>> {
    call.once(sent, async move |change, sent| {
        let row = documents::rename(change, kind, &key, &sent.key).await?;
        // It was never released, so nothing of it is served.
        Ok(Json::new(&DocumentBody::served(row, Served::default())))
    })
    .await
}

async fn archive(
    call: Call<Publish>,
    Path(kind): Path<DocumentKind>,
    Path(key): Path<Key>,
) -> Answer<Tagged<DocumentBody>> {
    let name = key.clone();
    call.change(async move |change| Ok(documents::archive(change, kind, &name).await?))
        .await?;
    read(call.gateway(), call.tenant, kind, &key).await
}

async fn restore(
    call: Call<Publish>,
    Path(kind): Path<DocumentKind>,
    Path(key): Path<Key>,
) -> Answer<Tagged<DocumentBody>> {
    let name = key.clone();
    call.change(async move |change| Ok(documents::restore(change, kind, &name).await?))
        .await?;
    read(call.gateway(), call.tenant, kind, &key).await
}

/// The document with what is live of it, and its state. The state is read first: what changes meanwhile makes it stale.
async fn read(
    gateway: &Gateway,
    tenant: TenantId,
    kind: DocumentKind,
    key: &Key,
) -> Answer<Tagged<DocumentBody>> {
    let mut tx = gateway.database.tenant(tenant).await?;
    let row = documents::find(&mut tx, kind, key).await?;
    let document = row.id;
    let now = tx.moment().await?;
    let validator = validator(&mut tx, &row, now).await?;
    tx.commit().await?;
    let serving = gateway.sources.serving(&gateway.database, tenant).await?;
    let mut body = DocumentBody::new(row, &serving);
    if let Some(number) = body.live_version {
        let mut tx = gateway.database.tenant(tenant).await?;
        let version = tx.version(document, number).await?;
        body.content = version.map(|row| order::of_document(kind, row.content));
        tx.commit().await?;
    }
    Ok(Tagged::new(&body, &validator))
}
