//! The editor of a context. One form carries everything: each button of it sends the whole form, and only "save" and its neighbours change
//! anything.

use actix_web::http::StatusCode;
use actix_web::web;
use futures_util::join;
use serde_json::{Map, Value};

use super::desk::{Desk, Draft};
use super::fields::Fields;
use super::known::{Known, known};
use super::model::Model;
use super::moves;
use super::page::{self, Work, named, rendered};
use super::save::{self, At, NotSaved, Published};
use super::try_it::{Asked, Outcome, try_out};
use super::view::found_slips;
use super::watch::{self, Validation, Watch, found_of};
use super::words;
use crate::console::api::{Refused, encode};
use crate::console::visit::{Answer, Form, Signed, see};

/// The page as it is saved.
pub async fn show(signed: Signed, path: web::Path<String>) -> Answer {
    let key = path.into_inner();
    let desk = Desk::open(&signed.api, &key).await?;
    let at = begin(&signed, &desk, &key).await?;
    let mut model = Model::of(&at.seen);
    words::leave_out_names(signed.texts, &mut model);
    let mut work = Work {
        model,
        asked: Asked {
            user: desk
                .samples
                .first()
                .map(|sample| format!("sample:{}", sample.key))
                .unwrap_or_default(),
            ..Asked::default()
        },
        at,
        ..Work::default()
    };
    let (impact, validation) = join!(
        watch::ask(&signed.api, &key, &work.at.seen),
        validate(&signed, &desk, &key, &work.at)
    );
    if let Ok(impact) = impact {
        work.watch = Some(Watch::new(
            signed.texts,
            &key,
            &work.model,
            impact,
            !work.at.draft.is_empty(),
        ));
    }
    if let Some(validation) = validation {
        work.found = validation.found();
        work.were_run = true;
    }
    Ok(rendered(&signed, desk, key, work, StatusCode::OK))
}

/// What the form begins with: the draft that the address names, the newest one, the newest version.
async fn begin(signed: &Signed, desk: &Desk, key: &str) -> Result<At, Refused> {
    let named = signed.parameter("draft");
    let draft = match &named {
        Some(id) => desk.draft(id),
        None => Draft::newest(&desk.drafts),
    };
    if let Some(draft) = draft {
        let address = format!("/v1/admin/drafts/{}", encode(&draft.id));
        let draft = signed.api.tagged::<Draft>(&address).await?;
        return Ok(At {
            draft: draft.body.id,
            etag: draft.etag,
            base: draft.body.base_version,
            seen: draft.body.content,
        });
    }
    let document = &desk.document;
    let base = document.latest_version;
    let seen = match (&document.content, base) {
        (Some(content), base) if base == document.live_version => content.clone(),
        (_, Some(newest)) => {
            let address = format!("{}/versions/{newest}", super::desk::path(key));
            let version: Value = signed.api.get(&address).await?;
            version
                .get("content")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default()
        }
        _ => Map::new(),
    };
    Ok(At {
        base,
        seen,
        ..At::default()
    })
}

async fn validate(signed: &Signed, desk: &Desk, key: &str, at: &At) -> Option<Validation> {
    use crate::domain::role::Role;
    let address = match (at.draft.as_str(), desk.document.latest_version) {
        ("", Some(version)) => format!("{}/versions/{version}:validate", super::desk::path(key)),
        ("", None) => return None,
        (draft, _) if signed.account.may(Role::Editor) => {
            format!("/v1/admin/drafts/{}:validate", encode(draft))
        }
        _ => return None,
    };
    let validation = signed.api.call(actix_web::http::Method::POST, &address);
    validation.json().await.ok()
}

/// A button of the form.
pub async fn act(signed: Signed, path: web::Path<String>, form: Form) -> Answer {
    let key = path.into_inner();
    let fields = Fields::new(form.fields());
    let what = match fields.get("do") {
        "" => "refresh",
        what => what,
    };
    let seen = match fields.json("seen") {
        Some(Value::Object(seen)) => seen,
        _ => Map::new(),
    };
    let mut work = Work {
        at: At {
            draft: fields.get("draft").to_owned(),
            etag: fields.get("etag").to_owned(),
            base: fields.get("base").parse().ok(),
            seen,
        },
        asked: Asked::read(&fields),
        note: fields.get("note").to_owned(),
        ..Work::default()
    };
    // A form that may not be changed sends no fields of the content.
    work.model = if fields.has("was") {
        Model::read(&fields)
    } else {
        Model::of(&work.at.seen)
    };
    if fields.get("part") == "tried" {
        return tried_part(&signed, &key, work, fields.get("zone")).await;
    }
    let desk = Desk::open(&signed.api, &key).await?;
    let known_before = known(&desk.sources(), &work.model.schema);
    moves::settle(&mut work.model, &known_before);
    match what {
        "save" => return saving(&signed, desk, key, work).await,
        "publish" => return publishing(&signed, desk, key, work).await,
        "release" => return releasing(&signed, desk, key, work).await,
        "discard" => {
            save::discard(&signed.api, &work.at).await?;
            return Ok(see(&format!(
                "/console/contexts/{}?said=context-discarded",
                encode(&key)
            )));
        }
        "rebase" => return rebasing(&signed, desk, key, work, &fields).await,
        "overwrite" => {
            fields.get("their-etag").clone_into(&mut work.at.etag);
            return saving(&signed, desk, key, work).await;
        }
        "merge" => merge_theirs(&signed, &mut work, &fields),
        "impact" => {
            let (content, _) = named(signed.texts, &work.model).content();
            match watch::ask(&signed.api, &key, &content).await {
                Ok(impact) => {
                    work.watch = Some(Watch::new(signed.texts, &key, &work.model, impact, true));
                }
                Err(refused) if refused.status == 422 => {
                    work.troubles.push(refused.words().to_owned());
                }
                Err(refused) => return Err(refused),
            }
            "watch".clone_into(&mut work.focus);
        }
        "try" => {
            work.tried = Some(attempt(&signed, &key, &work, &known_before, desk.zone()).await?);
            "try".clone_into(&mut work.focus);
        }
        "test-keep" => {
            let outcome = attempt(&signed, &key, &work, &known_before, desk.zone()).await?;
            let test = work
                .asked
                .test(&outcome, &work.model, &known_before, desk.zone());
            if let Some((name, test)) = test {
                moves::keep_test(&mut work.model, &name, test);
                "tests".clone_into(&mut work.focus);
            }
            work.tried = Some(outcome);
        }
        other => work.focus = moves::act(&mut work.model, other).unwrap_or_default(),
    }
    Ok(rendered(&signed, desk, key, work, StatusCode::OK))
}

async fn tried_part(signed: &Signed, key: &str, work: Work, zone: &str) -> Answer {
    let known: Vec<Known> = known(&super::known::Sources::default(), &work.model.schema);
    let tried = attempt(signed, key, &work, &known, zone).await?;
    Ok(page::tried_part(signed, tried))
}

async fn attempt(
    signed: &Signed,
    key: &str,
    work: &Work,
    known: &[Known],
    zone: &str,
) -> Result<Outcome, Refused> {
    let (content, slips) = named(signed.texts, &work.model).content();
    if !slips.is_empty() {
        let mut view: Vec<String> = Vec::new();
        for found in found_slips(signed.texts, &slips) {
            let text = super::try_it::place(signed.texts, &found.pointer, &found.text);
            if !view.contains(&text) {
                view.push(text);
            }
        }
        return Ok(Outcome {
            troubles: view,
            ..Outcome::default()
        });
    }
    try_out(
        signed,
        key,
        (&work.model, &content),
        known,
        &work.asked,
        zone,
    )
    .await
}

/// The content, unless something that was typed can't be content at all.
fn readable(signed: &Signed, work: &mut Work) -> Option<Map<String, Value>> {
    let (content, slips) = named(signed.texts, &work.model).content();
    let unreadable: Vec<_> = slips
        .into_iter()
        .filter(|slip| matches!(slip.text, "cx-slip-json" | "cx-slip-number"))
        .collect();
    if unreadable.is_empty() {
        return Some(content);
    }
    work.found = found_slips(signed.texts, &unreadable);
    None
}

async fn saving(signed: &Signed, desk: Desk, key: String, mut work: Work) -> Answer {
    let Some(content) = readable(signed, &mut work) else {
        return Ok(rendered(
            signed,
            desk,
            key,
            work,
            StatusCode::UNPROCESSABLE_ENTITY,
        ));
    };
    match save::save(&signed.api, &key, &work.at, &content).await {
        Ok(at) => Ok(see(&format!(
            "/console/contexts/{}?draft={}&said=context-saved",
            encode(&key),
            encode(&at.draft)
        ))),
        Err(not) => not_saved(signed, desk, key, work, not),
    }
}

fn not_saved(signed: &Signed, desk: Desk, key: String, mut work: Work, not: NotSaved) -> Answer {
    let status = match not {
        NotSaved::Meanwhile(meanwhile) => {
            work.meanwhile = Some(*meanwhile);
            StatusCode::PRECONDITION_FAILED
        }
        NotSaved::Gone => {
            // What was typed becomes a new draft with the next try.
            (work.at.draft, work.at.etag) = (String::new(), String::new());
            work.at.base = desk.document.latest_version;
            work.troubles.push(signed.texts.say("cx-draft-gone"));
            StatusCode::CONFLICT
        }
        NotSaved::Refused(refused) if refused.is_signed_out() => return Err(refused),
        NotSaved::Refused(refused) => {
            work.found = found_of(&refused);
            work.troubles.push(refused.words().to_owned());
            StatusCode::from_u16(refused.status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY)
        }
    };
    Ok(rendered(signed, desk, key, work, status))
}

async fn publishing(signed: &Signed, desk: Desk, key: String, mut work: Work) -> Answer {
    let (_, slips) = named(signed.texts, &work.model).content();
    if !slips.is_empty() {
        work.found = found_slips(signed.texts, &slips);
        return Ok(rendered(
            signed,
            desk,
            key,
            work,
            StatusCode::UNPROCESSABLE_ENTITY,
        ));
    }
    let Some(content) = readable(signed, &mut work) else {
        return Ok(rendered(
            signed,
            desk,
            key,
            work,
            StatusCode::UNPROCESSABLE_ENTITY,
        ));
    };
    if work.at.draft.is_empty() && content == work.at.seen {
        // Nothing to seal; the newest version may wait for its release.
        if desk.document.latest_version == desk.document.live_version {
            work.troubles.push(signed.texts.say("cx-nothing-changed"));
            return Ok(rendered(signed, desk, key, work, StatusCode::CONFLICT));
        }
        return releasing(signed, desk, key, work).await;
    }
    let is_unsaved = work.at.draft.is_empty() || content != work.at.seen;
    let at = if is_unsaved {
        match save::save(&signed.api, &key, &work.at, &content).await {
            Ok(at) => at,
            Err(not) => return not_saved(signed, desk, key, work, not),
        }
    } else {
        work.at.clone()
    };
    let latest = desk.document.latest_version;
    let published = save::publish(&signed.api, &key, at, latest, &work.note).await?;
    let done = |said: &str| {
        Ok(see(&format!(
            "/console/contexts/{}?said={said}",
            encode(&key)
        )))
    };
    match published {
        Published::Live => return done("context-published"),
        Published::Waits => {
            let history = format!("/console/contexts/{}/history", encode(&key));
            return Ok(see(&format!("{history}?said=context-waits")));
        }
        Published::Found(at, found) => (work.at, work.found, work.were_run) = (at, found, true),
        Published::Behind(at) => work.at = at,
        Published::Refused(at, refused) => {
            work.at = at;
            work.troubles.push(refused.words().to_owned());
        }
        Published::Sealed(refused) => {
            work.at = At::default();
            work.found = found_of(&refused);
            work.troubles
                .push(signed.texts.say("cx-context-sealed-only"));
            work.troubles.push(refused.words().to_owned());
        }
    }
    // Drafts and versions are other ones by now.
    let desk = Desk::open(&signed.api, &key).await?;
    if work.at.draft.is_empty() {
        (work.at.base, work.at.seen) = (desk.document.latest_version, content);
    }
    Ok(rendered(signed, desk, key, work, StatusCode::CONFLICT))
}

/// Releases the newest version, which was sealed and is not live.
async fn releasing(signed: &Signed, desk: Desk, key: String, mut work: Work) -> Answer {
    let version = desk
        .document
        .latest_version
        .map_or(Value::Null, Value::from);
    let refused = match save::release(&signed.api, &key, &version, &work.note).await {
        Ok(()) => {
            return Ok(see(&format!(
                "/console/contexts/{}?said=context-published",
                encode(&key)
            )));
        }
        Err(refused) if refused.is_signed_out() => return Err(refused),
        Err(refused) => refused,
    };
    work.found = found_of(&refused);
    work.troubles.push(refused.words().to_owned());
    Ok(rendered(signed, desk, key, work, StatusCode::CONFLICT))
}

async fn rebasing(
    signed: &Signed,
    desk: Desk,
    key: String,
    mut work: Work,
    fields: &Fields<'_>,
) -> Answer {
    let Some(content) = readable(signed, &mut work) else {
        return Ok(rendered(
            signed,
            desk,
            key,
            work,
            StatusCode::UNPROCESSABLE_ENTITY,
        ));
    };
    if content != work.at.seen {
        match save::save(&signed.api, &key, &work.at, &content).await {
            Ok(at) => work.at = at,
            Err(not) => return not_saved(signed, desk, key, work, not),
        }
    }
    let keep: Vec<_> = fields
        .under("keep.")
        .map(|(pointer, side)| (pointer.to_owned(), side.to_owned()))
        .collect();
    work.conflicts = save::rebase(&signed.api, &work.at, &keep).await?;
    if work.conflicts.is_empty() {
        return Ok(see(&format!(
            "/console/contexts/{}?draft={}&said=context-merged",
            encode(&key),
            encode(&work.at.draft)
        )));
    }
    Ok(rendered(signed, desk, key, work, StatusCode::CONFLICT))
}

/// Puts what somebody else saved together with what the form says; nothing is saved yet.
fn merge_theirs(signed: &Signed, work: &mut Work, fields: &Fields<'_>) {
    let Some(Value::Object(theirs)) = fields.json("theirs") else {
        return;
    };
    let (ours, _) = named(signed.texts, &work.model).content();
    let (merged, places) = save::merged(&work.at.seen, &theirs, &ours);
    work.model = Model::of(&merged);
    words::leave_out_names(signed.texts, &mut work.model);
    work.merged_over = places;
    work.at.seen = theirs;
    fields.get("their-etag").clone_into(&mut work.at.etag);
}
