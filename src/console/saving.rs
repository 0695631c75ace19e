//! What the buttons of a document's form do: save, together with what others wrote meanwhile, publish, talk, bring in the newest version, discard. The
//! same for every kind of document.

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::api::{Api, Refused};
use super::findings::{Finding, Validation, found};
use super::history;
use super::parts::Listed;
use super::releasing::{Going, judge, release};
use super::visit::{Form, Signed, see};
use super::writing::{
    Begun, Document, Draft, Version, Writing, address, name_of, page_of, version,
};
use crate::domain::merge::{Choices, Conflict, Side, Unmerged, merge};

/// What a button came to.
#[derive(Debug)]
pub enum Outcome {
    /// It is done, and this page comes next.
    Done(HttpResponse),
    /// The form is shown again.
    Stays(Box<Stay>),
}

/// Why a form is shown again, and what it goes on with.
#[derive(Debug, Default)]
pub struct Stay {
    pub begun: Begun,
    pub refused: Option<Refused>,
    pub found: Vec<Finding>,
    pub contest: Contest,
}

/// Places that two changed, each in their own way.
#[derive(Debug, Default)]
pub struct Contest {
    pub places: Vec<Contested>,
    /// Who else wrote in the draft; nobody where it is a version that changed them.
    pub by: Option<String>,
    /// Whether that was the same person: in another window, or before.
    pub is_own: bool,
}

/// A place that two changed; nothing where one took it away.
#[derive(Debug)]
pub struct Contested {
    pub pointer: String,
    pub ours: Option<String>,
    pub theirs: Option<String>,
}

/// What saving came to.
enum Saved {
    Done { begun: Begun, is_merged: bool },
    Contested(Contest),
}

impl Contest {
    /// Whether nothing is left to choose.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    fn new(conflicts: Vec<Conflict>, by: Option<String>, own: &str) -> Self {
        let words = |value: Option<Value>| {
            value.map(|value| match value {
                Value::String(text) => text,
                other => serde_json::to_string_pretty(&other).unwrap_or_default(),
            })
        };
        let places = conflicts.into_iter().map(|conflict| Contested {
            pointer: conflict.pointer,
            ours: words(conflict.ours),
            theirs: words(conflict.theirs),
        });
        Self {
            places: places.collect(),
            is_own: by.as_deref() == Some(own),
            by,
        }
    }
}

/// A form that was sent.
#[derive(Debug)]
pub struct Sent<'a> {
    signed: &'a Signed,
    kind: &'static str,
    key: &'a str,
    form: &'a Form,
    begun: Begun,
    choices: Choices,
    /// Fields of the page for test calls, for `talk`.
    talk: Vec<(String, String)>,
}

impl<'a> Sent<'a> {
    /// Reads what every document's form says.
    pub fn new(signed: &'a Signed, kind: &'static str, key: &'a str, form: &'a Form) -> Self {
        let choices = form.fields().filter_map(|(name, side)| {
            let pointer = name.strip_prefix("keep:")?;
            Some((pointer.to_owned(), Side::named(side)?))
        });
        Self {
            signed,
            kind,
            key,
            form,
            begun: Begun::sent(form),
            choices: choices.collect(),
            talk: Vec::new(),
        }
    }

    /// As whom and about what somebody talks who presses `talk`: fields of the page for test calls that are filled in there.
    #[must_use]
    pub fn talking(self, fields: Vec<(String, String)>) -> Self {
        Self {
            talk: fields,
            ..self
        }
    }

    /// Throws the draft away.
    pub async fn discard(self) -> Result<HttpResponse, Refused> {
        if let Some(id) = &self.begun.draft {
            let path = format!("/v1/admin/drafts/{}", super::api::encode(id));
            let call = self.signed.api.call(Method::DELETE, &path).seen("*");
            match call.answered().await {
                Err(refused) if refused.status != StatusCode::NOT_FOUND.as_u16() => {
                    return Err(refused);
                }
                _gone => {}
            }
        }
        Ok(self.said("draft-discarded"))
    }

    /// Saves what the form says now, and goes on as its button says: `save`, `publish`, `talk` or `rebase`.
    pub async fn act(self, content: &Map<String, Value>) -> Result<Outcome, Refused> {
        let (wanted, going) = (self.form.get("do"), Going::sent(self.form));
        let is_changed = *content != self.begun.content;
        if let ("publish", Some(refused)) = (wanted, judge(self.signed, self.form)) {
            return Ok(Stay::refused(self.begun, refused));
        }
        if wanted == "publish" && !is_changed && self.begun.draft.is_none() {
            let refused = Refused::own(StatusCode::CONFLICT, "nothing_changed", "");
            let refused = refused.for_reader(self.signed.texts);
            return Ok(Stay::refused(self.begun, refused));
        }
        if wanted == "talk" && !is_changed {
            let state = self.state().await?;
            return Ok(Outcome::Done(self.to_talk(&state, None)));
        }
        // Choices of a rebase speak of its conflicts, not of those with a colleague.
        let of_rebase = wanted == "rebase";
        let choices = if of_rebase {
            Choices::new()
        } else {
            self.choices.clone()
        };
        let saved = if is_changed || !of_rebase {
            match save(
                self.signed,
                self.kind,
                self.key,
                &self.begun,
                content,
                choices,
            )
            .await
            {
                Ok(saved) => saved,
                Err(refused) if refused.is_signed_out() => return Err(refused),
                Err(refused) => return Ok(Stay::refused(self.begun, refused)),
            }
        } else {
            Saved::Done {
                begun: self.begun.clone(),
                is_merged: false,
            }
        };
        let (begun, is_merged) = match saved {
            Saved::Done { begun, is_merged } => (begun, is_merged),
            Saved::Contested(places) => {
                return Ok(Stay::contested(self.begun, places));
            }
        };
        match wanted {
            "talk" => {
                let state = format!("draft:{}", begun.draft.unwrap_or_default());
                let said = if is_merged {
                    "talk-joined"
                } else {
                    "talk-saved"
                };
                Ok(Outcome::Done(self.to_talk(&state, Some(said))))
            }
            _ if is_merged => Ok(Outcome::Done(self.said("draft-joined"))),
            "rebase" => self.rebase(begun).await,
            "publish" => self.publish(begun, &going).await,
            _ => Ok(Outcome::Done(self.said("draft-saved"))),
        }
    }

    /// Merges the newest version into the draft.
    async fn rebase(&self, begun: Begun) -> Result<Outcome, Refused> {
        let id = begun.draft.as_deref().unwrap_or_default();
        let path = format!("/v1/admin/drafts/{}:rebase", super::api::encode(id));
        let keep: Map<String, Value> = self
            .choices
            .iter()
            .map(|(at, side)| (at.clone(), word(*side).into()))
            .collect();
        let body = json!({ "keep": keep });
        let call = self.signed.api.call(Method::POST, &path);
        match call.seen(&begun.etag).body(&body).json::<Value>().await {
            Ok(_draft) => Ok(Outcome::Done(self.said("draft-merged"))),
            Err(refused) if refused.code == "merge_conflict" => {
                let contest = Contest::new(conflicts_of(&refused), None, "");
                Ok(Stay::contested(begun, contest))
            }
            Err(refused) if refused.is_signed_out() => Err(refused),
            Err(refused) => Ok(Stay::refused(begun, refused)),
        }
    }

    /// Seals a saved draft and releases it, unless something is found that prevents it.
    async fn publish(&self, begun: Begun, going: &Going) -> Result<Outcome, Refused> {
        let api = &self.signed.api;
        let id = begun.draft.as_deref().unwrap_or_default();
        let draft = format!("/v1/admin/drafts/{}", super::api::encode(id));
        let validation = Validation::ask(api, &draft).await?;
        if !validation.ok {
            let found = validation.all();
            return Ok(Stay {
                begun,
                found,
                ..Stay::default()
            }
            .outcome());
        }
        let path = format!("{draft}:seal");
        let body = json!({ "message": going.note });
        let sealed = api.call(Method::POST, &path).seen(&begun.etag).body(&body);
        let sealed = match sealed.json::<Version>().await {
            Ok(sealed) => sealed.number,
            Err(refused) if refused.is_signed_out() => return Err(refused),
            Err(refused) => return Ok(Stay::refused(begun, refused)),
        };
        match release(api, self.kind, self.key, sealed, going).await {
            Ok(()) => Ok(Outcome::Done(self.said(going.said()))),
            // It is sealed: the history says what it waits for, and offers the release.
            Err(refused) => history::show_refused(self.signed, self.kind, self.key, &refused)
                .await
                .map(Outcome::Done),
        }
    }

    /// What the form began with, as the page for test calls names it.
    async fn state(&self) -> Result<String, Refused> {
        if let Some(id) = &self.begun.draft {
            return Ok(format!("draft:{id}"));
        }
        let writing = Writing::load(self.signed, self.kind, self.key).await?;
        let shown = writing.waiting.or(writing.live);
        Ok(shown.map_or_else(String::new, |number| format!("version:{number}")))
    }

    /// The page for test calls, with this document chosen.
    fn to_talk(&self, state: &str, said: Option<&str>) -> HttpResponse {
        let document = format!("{}:{}", self.kind, self.key);
        see(&talk_address(&document, state, &self.talk, said))
    }

    fn said(&self, what: &str) -> HttpResponse {
        see(&format!("{}?said={what}", page_of(self.kind, self.key)))
    }
}

/// Longest address of the page for test calls, in bytes: proxies take 8 kB, with cookies and all.
const MAX_TALK_ADDRESS: usize = 4_000;

/// Where the page for test calls is, with its fields; those that are too long to be in an address are left out, and that is said.
fn talk_address(
    document: &str,
    state: &str,
    fields: &[(String, String)],
    said: Option<&str>,
) -> String {
    let address = |fields: &[(String, String)], said: Option<&str>| {
        let page = "/console/talk?".to_owned();
        let at = page.len();
        let mut query = form_urlencoded::Serializer::for_suffix(page, at);
        query.append_pair("what", document);
        query.append_pair("state", state);
        query.extend_pairs(fields);
        query.extend_pairs(said.map(|said| ("said", said)));
        query.finish()
    };
    let whole = address(fields, said);
    if whole.len() <= MAX_TALK_ADDRESS {
        return whole;
    }
    let mut kept: Vec<(String, String)> = Vec::new();
    for field in fields {
        kept.push(field.clone());
        if address(&kept, Some("talk-short")).len() > MAX_TALK_ADDRESS {
            kept.pop();
        }
    }
    address(&kept, Some("talk-short"))
}

impl Stay {
    fn refused(begun: Begun, refused: Refused) -> Outcome {
        Self {
            begun,
            found: found(&refused),
            refused: Some(refused),
            contest: Contest::default(),
        }
        .outcome()
    }

    fn contested(begun: Begun, contest: Contest) -> Outcome {
        Self {
            begun,
            contest,
            ..Self::default()
        }
        .outcome()
    }

    fn outcome(self) -> Outcome {
        Outcome::Stays(Box::new(self))
    }

    /// The status of the page.
    pub fn status(&self) -> StatusCode {
        match &self.refused {
            Some(refused) => refused.status_code(),
            None if self.contest.is_empty() => StatusCode::UNPROCESSABLE_ENTITY,
            None => StatusCode::CONFLICT,
        }
    }
}

/// Saves what somebody wrote, together with what others wrote meanwhile.
async fn save(
    signed: &Signed,
    kind: &'static str,
    key: &str,
    begun: &Begun,
    content: &Map<String, Value>,
    choices: Choices,
) -> Result<Saved, Refused> {
    let api = &signed.api;
    if let Some(id) = &begun.draft {
        match put(api, id, &begun.etag, content, false).await {
            Err(refused) if refused.status == StatusCode::PRECONDITION_FAILED.as_u16() => {
                let theirs = draft(api, id).await?;
                return join(signed, begun, theirs, content, choices).await;
            }
            // Somebody sealed or discarded it: what is written here goes on in another draft.
            Err(refused) if refused.status == StatusCode::NOT_FOUND.as_u16() => {}
            saved => return saved,
        }
    }
    let path = format!("{}/drafts", address(kind, key));
    let mut drafts: Listed<Draft> = api.get(&path).await?;
    drafts.items.sort_by(|a, b| a.updated_at.cmp(&b.updated_at));
    if let Some(newest) = drafts.items.last() {
        // Somebody else began to write meanwhile: theirs is the one to write in.
        let theirs = draft(api, &newest.id).await?;
        return join(signed, begun, theirs, content, choices).await;
    }
    let document: Document = api.get(&address(kind, key)).await?;
    let newest = document.latest_version;
    let mut written = content.clone();
    if let (Some(number), true) = (newest, newest != begun.base || begun.draft.is_some()) {
        let theirs = version(api, kind, key, number).await?;
        match together(begun, &theirs.content, content, choices) {
            Ok(merged) => written = merged,
            Err(conflicts) => {
                let by = name_of(&theirs.author).to_owned();
                return Ok(Saved::Contested(Contest::new(
                    conflicts,
                    Some(by),
                    &signed.account.email,
                )));
            }
        }
    }
    let mut body = json!({ "content": written });
    if let (Some(number), Some(body)) = (newest, body.as_object_mut()) {
        body.insert("from".to_owned(), number.into());
    }
    let opened = api.call(Method::POST, &path).body(&body);
    let opened = opened.tagged::<Draft>().await?;
    Ok(Saved::Done {
        begun: opened.body.begun(opened.etag),
        is_merged: written != *content,
    })
}

/// Writes in a draft that somebody else wrote in.
async fn join(
    signed: &Signed,
    begun: &Begun,
    (theirs, etag): (Draft, String),
    content: &Map<String, Value>,
    choices: Choices,
) -> Result<Saved, Refused> {
    match together(begun, &theirs.content, content, choices) {
        Ok(merged) => put(&signed.api, &theirs.id, &etag, &merged, true).await,
        Err(conflicts) => {
            let by = Some(theirs.others(&signed.account.email));
            Ok(Saved::Contested(Contest::new(
                conflicts,
                by,
                &signed.account.email,
            )))
        }
    }
}

/// Both changes of what the form began with. Choices of what is no conflict any more are passed over.
fn together(
    begun: &Begun,
    theirs: &Map<String, Value>,
    ours: &Map<String, Value>,
    mut choices: Choices,
) -> Result<Map<String, Value>, Vec<Conflict>> {
    loop {
        match merge(&begun.content, theirs, ours, &choices) {
            Ok(merged) => return Ok(merged),
            Err(Unmerged::Conflicts(conflicts)) => return Err(conflicts),
            Err(Unmerged::NoConflictAt(idle)) => choices.retain(|at, _| !idle.contains(at)),
        }
    }
}

async fn draft(api: &Api, id: &str) -> Result<(Draft, String), Refused> {
    let path = format!("/v1/admin/drafts/{}", super::api::encode(id));
    let draft = api.tagged::<Draft>(&path).await?;
    Ok((draft.body, draft.etag))
}

async fn put(
    api: &Api,
    id: &str,
    etag: &str,
    content: &Map<String, Value>,
    is_merged: bool,
) -> Result<Saved, Refused> {
    let path = format!("/v1/admin/drafts/{}", super::api::encode(id));
    let body = json!({ "content": content });
    let call = api.call(Method::PUT, &path).seen(etag).body(&body);
    let tagged = call.tagged::<Draft>().await?;
    Ok(Saved::Done {
        begun: tagged.body.begun(tagged.etag),
        is_merged,
    })
}

/// What two changed, as the API tells it.
fn conflicts_of(refused: &Refused) -> Vec<Conflict> {
    let conflict = |told: &Value| {
        Some(Conflict {
            pointer: told.get("pointer")?.as_str()?.to_owned(),
            base: told.get("base").cloned(),
            ours: told.get("ours").cloned(),
            theirs: told.get("theirs").cloned(),
        })
    };
    refused.conflicts.iter().filter_map(conflict).collect()
}

/// `ours` or `theirs`.
fn word(side: Side) -> &'static str {
    match side {
        Side::Ours => "ours",
        Side::Theirs => "theirs",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_for_an_address_is_left_out_and_that_is_said() {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let short = [field("user", "ann"), field("at", "now")];
        let address = talk_address("persona:a", "live", &short, Some("talk-saved"));
        assert_eq!(
            address,
            "/console/talk?what=persona%3Aa&state=live&user=ann&at=now&said=talk-saved"
        );
        let [user, at] = short;
        let long = [user, field("metadata", &"ü".repeat(1_000)), at];
        let address = talk_address("persona:a", "live", &long, Some("talk-saved"));
        assert_eq!(
            address,
            "/console/talk?what=persona%3Aa&state=live&user=ann&at=now&said=talk-short"
        );
    }
}
