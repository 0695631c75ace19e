//! The editor of a context. One form carries everything: each button of it sends the whole form, and only "save" and its neighbours change
//! anything.

use actix_web::http::StatusCode;
use actix_web::web;
use futures_util::join;

use super::KIND;
use super::desk::Desk;
use super::fields::Fields;
use super::known::{KnownAttribute, known_attributes};
use super::model::Model;
use super::moves;
use super::page::{self, Work, named, rendered};
use super::try_it::{Asked, Outcome as Tried, try_out};
use super::view::{Found, found_slips};
use super::watch::{self, Watch};
use super::words;
use crate::console::api::{Refused, encode};
use crate::console::findings::{Finding, Validation};
use crate::console::saving::{Outcome, Sent};
use crate::console::texts::Texts;
use crate::console::visit::{Answer, Form, Signed};
use crate::console::writing::{Begun, Writing, address};

/// The page as it is saved.
pub async fn show(signed: Signed, path: web::Path<String>) -> Answer {
    let key = path.into_inner();
    let desk = Desk::open(&signed, &key).await?;
    let content = &desk.writing.begun.content;
    let mut model = Model::of(content);
    words::leave_out_names(signed.texts, &mut model);
    let first = desk.samples.first();
    let mut work = Work {
        model,
        asked: Asked {
            user: first.map_or_else(String::new, |sample| format!("sample:{}", sample.key)),
            ..Asked::default()
        },
        ..Work::default()
    };
    let (impact, validation) = join!(
        watch::ask(&signed.api, &key, content),
        validate(&signed, &desk.writing)
    );
    if let Ok(impact) = impact {
        let is_draft = desk.writing.draft.is_some();
        let watch = Watch::new(signed.texts, &key, &work.model, impact, is_draft);
        work.watch = Some(watch);
    }
    if let Some(validation) = validation {
        work.found = found_in(signed.texts, validation.all());
        work.were_run = true;
    }
    Ok(rendered(&signed, desk, key, work, StatusCode::OK))
}

async fn validate(signed: &Signed, writing: &Writing) -> Option<Validation> {
    use crate::domain::role::Role;
    let address = match (&writing.draft, writing.waiting.or(writing.live)) {
        (None, Some(version)) => {
            format!("{}/versions/{version}", address(KIND, &writing.key))
        }
        (Some(draft), _) if signed.account.may(Role::Editor) => {
            format!("/v1/admin/drafts/{}", encode(&draft.id))
        }
        _ => return None,
    };
    Validation::ask(&signed.api, &address).await.ok()
}

fn found_in(texts: Texts, findings: Vec<Finding>) -> Vec<Found> {
    let findings = findings.into_iter();
    findings.map(|finding| Found::new(texts, finding)).collect()
}

/// A button of the form.
pub async fn act(signed: Signed, path: web::Path<String>, form: Form) -> Answer {
    let key = path.into_inner();
    let fields = Fields::new(form.fields());
    let what = match fields.get("do") {
        "" => "refresh",
        what => what,
    };
    if what == "discard" {
        return Sent::new(&signed, KIND, &key, &form).discard().await;
    }
    let begun = Begun::sent(&form);
    let mut work = Work {
        asked: Asked::read(&fields),
        note: fields.get("note").to_owned(),
        ..Work::default()
    };
    // A form that may not be changed sends no fields of the content.
    work.model = if fields.has("was") {
        Model::read(&fields)
    } else {
        Model::of(&begun.content)
    };
    if fields.get("part") == "tried" {
        return tried_part(&signed, &key, work, fields.get("zone")).await;
    }
    let mut desk = Desk::open(&signed, &key).await?;
    let known_before = known_attributes(&desk.sources(), &work.model.schema);
    moves::settle(&mut work.model, &known_before);
    if let "save" | "publish" | "talk" | "rebase" = what {
        return saving(&signed, desk, key, work, &form).await;
    }
    desk.writing.go_on(begun);
    match what {
        "impact" => {
            let (content, _) = named(signed.texts, &work.model).content();
            match watch::ask(&signed.api, &key, &content).await {
                Ok(impact) => {
                    work.watch = Some(Watch::new(signed.texts, &key, &work.model, impact, true));
                }
                Err(refused) if refused.status == 422 => {
                    work.troubles.push(refused.words());
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
    let known: Vec<KnownAttribute> =
        known_attributes(&super::known::Sources::default(), &work.model.schema);
    let tried = attempt(signed, key, &work, &known, zone).await?;
    Ok(page::tried_part(signed, tried))
}

async fn attempt(
    signed: &Signed,
    key: &str,
    work: &Work,
    known: &[KnownAttribute],
    zone: &str,
) -> Result<Tried, Refused> {
    let mut model = named(signed.texts, &work.model);
    // A field that was just added is none yet.
    model.schema.fields.retain(|field| !field.name.is_empty());
    let (content, slips) = model.content();
    if !slips.is_empty() {
        let mut view: Vec<String> = Vec::new();
        for found in found_slips(signed.texts, &slips) {
            let text = super::try_it::fault_in_words(signed.texts, &found.pointer, &found.text);
            if !view.contains(&text) {
                view.push(text);
            }
        }
        return Ok(Tried {
            troubles: view,
            ..Tried::default()
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

/// Saves what the form says, and goes on as its button says. What can't be content at all is not saved; what is no sound context is not published.
async fn saving(
    signed: &Signed,
    mut desk: Desk,
    key: String,
    mut work: Work,
    form: &Form,
) -> Answer {
    let (content, mut slips) = named(signed.texts, &work.model).content();
    if form.get("do") != "publish" {
        slips.retain(|slip| matches!(slip.text, "cx-slip-json" | "cx-slip-number"));
    }
    let unreadable = StatusCode::UNPROCESSABLE_ENTITY;
    if !slips.is_empty() {
        work.found = found_slips(signed.texts, &slips);
        desk.writing.go_on(Begun::sent(form));
        return Ok(rendered(signed, desk, key, work, unreadable));
    }
    let sent = Sent::new(signed, KIND, &key, form).talking(work.asked.talking());
    let stay = match sent.act(&content).await? {
        Outcome::Done(page) => return Ok(page),
        Outcome::Stays(stay) => *stay,
    };
    // Drafts and versions are other ones by now.
    desk.writing = Writing::load(signed, KIND, &key).await?;
    let status = stay.status();
    desk.writing.go_on(stay.begun);
    work.were_run = stay.refused.is_none() && stay.contest.is_empty();
    work.found = found_in(signed.texts, stay.found);
    work.contest = stay.contest;
    let refused = stay.refused.iter();
    work.troubles.extend(refused.map(Refused::words));
    Ok(rendered(signed, desk, key, work, status))
}
