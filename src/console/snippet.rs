//! A snippet while somebody writes it.

use actix_web::web;
use askama::Template;
use serde_json::{Map, Value};

use super::api::{Fault, Refused};
use super::frame::{Frame, page_after};
use super::history;
use super::visit::{Answer, Form, Signed, see};
use super::writing::{Edit, Going, Saved, Writing, discard, release, save, seal};
use crate::domain::merge::{Choices, Side};

const KIND: &str = "snippet";

#[derive(Debug, Template)]
#[template(path = "snippet.html")]
struct SnippetPage {
    frame: Frame,
    writing: Writing,
    text: String,
    seen: String,
    refusal: Option<String>,
    faults: Vec<Fault>,
    /// What somebody else wrote meanwhile.
    theirs: Option<String>,
    by: String,
    note: String,
}

/// The editor.
pub async fn show(signed: Signed, key: web::Path<String>) -> Answer {
    render(&signed, &key, None, None, None).await
}

/// What somebody does with the snippet: the button that they pressed says it.
pub async fn act(signed: Signed, key: web::Path<String>, sent: Form) -> Answer {
    let here = format!("/console/snippets/{}", key.as_str());
    let draft = sent.filled("draft").map(str::to_owned);
    if let ("discard", Some(id)) = (sent.get("do"), &draft) {
        discard(&signed.api, id).await?;
        return Ok(see(&format!("{here}?said=draft-discarded")));
    }
    let seen: Map<String, Value> = serde_json::from_str(sent.get("seen")).unwrap_or_default();
    let mut content = seen.clone();
    content.insert("text".to_owned(), sent.get("text").into());
    let mut choices = Choices::new();
    if let Some(side) = Side::named(sent.get("keep")) {
        choices.insert("/text".to_owned(), side);
    }
    let edit = Edit {
        draft,
        etag: sent.get("etag").to_owned(),
        seen,
        content,
        choices,
    };
    let (draft, etag, merged) = match save(&signed.api, KIND, &key, &edit).await {
        Ok(Saved::Done {
            draft,
            etag,
            merged,
        }) => (draft, etag, merged),
        Ok(Saved::Conflicts { conflicts, by }) => {
            let theirs = conflicts.into_iter().find_map(|conflict| conflict.theirs);
            let theirs = theirs.and_then(|text| Some(text.as_str()?.to_owned()));
            return render(&signed, &key, Some(&sent), None, Some((theirs, by))).await;
        }
        Err(refused) => return render(&signed, &key, Some(&sent), Some(&refused), None).await,
    };
    if merged || sent.get("do") != "publish" {
        let said = if merged {
            "draft-joined"
        } else {
            "draft-saved"
        };
        return Ok(see(&format!("{here}?said={said}")));
    }
    let going = Going {
        note: sent.get("note").to_owned(),
        ..Going::default()
    };
    let version = match seal(&signed.api, &draft, &etag, &going.note).await {
        Ok(version) => version,
        Err(refused) => return render(&signed, &key, Some(&sent), Some(&refused), None).await,
    };
    match release(&signed.api, KIND, &key, version, &going).await {
        Ok(()) => Ok(see(&format!("{here}?said=published"))),
        Err(refused) => history::show_refused(&signed, KIND, &key, &refused).await,
    }
}

async fn render(
    signed: &Signed,
    key: &str,
    sent: Option<&Form>,
    refused: Option<&Refused>,
    conflict: Option<(Option<String>, String)>,
) -> Answer {
    let mut writing = Writing::load(&signed.api, KIND, key, None).await?;
    let stored = writing.content.get("text").and_then(Value::as_str);
    let mut text = stored.unwrap_or_default().to_owned();
    let mut seen = serde_json::to_string(&writing.content).unwrap_or_default();
    if let Some(sent) = sent {
        sent.get("text").clone_into(&mut text);
        // What is saved later is compared with what the page began with, unless it is saved already.
        if refused.is_none() {
            sent.get("seen").clone_into(&mut seen);
            sent.get("etag").clone_into(&mut writing.etag);
        }
    }
    let (theirs, by) = conflict.unwrap_or_default();
    let shown = SnippetPage {
        frame: Frame::new(signed, key),
        writing,
        text,
        seen,
        refusal: refused.map(|refused| refused.words().to_owned()),
        faults: refused
            .map(|refused| refused.errors.clone())
            .unwrap_or_default(),
        theirs,
        by,
        note: sent
            .map(|sent| sent.get("note").to_owned())
            .unwrap_or_default(),
    };
    Ok(page_after(refused, &shown))
}

/// The history of a snippet.
pub async fn show_history(signed: Signed, key: web::Path<String>) -> Answer {
    history::show(&signed, KIND, &key).await
}

/// What somebody does in the history.
pub async fn act_history(signed: Signed, key: web::Path<String>, sent: Form) -> Answer {
    history::act(&signed, KIND, &key, &sent).await
}
