//! The editor's page: everything that its template shows.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;
use serde_json::Value;

use super::desk::{Desk, Draft};
use super::known::known;
use super::model::Model;
use super::save::{At, Conflict, Meanwhile};
use super::try_it::{Asked, Outcome, State};
use super::try_view::TryView;
use super::view::{Found, Offers, Values, View};
use super::watch::{self, KeptTest, Watch};
use super::words;
use crate::console::frame::{Frame, page, page_with};
use crate::console::texts::Texts;
use crate::console::visit::Signed;

#[derive(Debug, Template)]
#[template(path = "contexts/editor.html")]
struct EditorPage {
    frame: Frame,
    desk: Desk,
    key: String,
    /// The tenant's document, by which a browser keeps what is not saved.
    place: String,
    at: At,
    view: View,
    /// Whether the form says something else than what is saved.
    is_changed: bool,
    try_view: TryView,
    tried: Option<Outcome>,
    troubles: Vec<String>,
    meanwhile: Option<Meanwhile>,
    merged_over: Vec<String>,
    conflicts: Vec<Conflict>,
    watch: Option<Watch>,
    tests: Vec<KeptTest>,
    were_run: bool,
    /// The part to go on with.
    focus: String,
    note: String,
}

/// The panel's answer alone, for the script.
#[derive(Debug, Template)]
#[template(path = "contexts/tried.html")]
struct TriedPart {
    frame: Frame,
    tried: Option<Outcome>,
}

/// The panel's answer alone.
pub fn tried_part(signed: &Signed, tried: Outcome) -> HttpResponse {
    page(&TriedPart {
        frame: Frame::new(signed, String::new()),
        tried: Some(tried),
    })
}

/// What a page is made of.
#[derive(Debug, Default)]
pub struct Work {
    pub model: Model,
    pub at: At,
    pub asked: Asked,
    pub found: Vec<Found>,
    pub tried: Option<Outcome>,
    pub troubles: Vec<String>,
    pub meanwhile: Option<Meanwhile>,
    pub merged_over: Vec<String>,
    pub conflicts: Vec<Conflict>,
    pub watch: Option<Watch>,
    pub were_run: bool,
    pub focus: String,
    pub note: String,
}

impl EditorPage {
    /// The draft that is shown.
    fn draft(&self) -> Option<&Draft> {
        self.desk.draft(&self.at.draft)
    }

    /// The other drafts.
    fn other_drafts(&self) -> impl Iterator<Item = &Draft> {
        self.desk
            .drafts
            .iter()
            .filter(|draft| draft.id != self.at.draft)
    }

    /// Whether a version was sealed since the draft was opened.
    fn is_behind(&self) -> bool {
        !self.at.draft.is_empty() && self.at.base != self.desk.document.latest_version
    }

    /// The version that a share of the users gets.
    fn rollout(&self) -> Option<String> {
        let rollout = self.desk.document.rollout.as_ref()?;
        let (version, percent) = (rollout.version.to_string(), rollout.percent.to_string());
        Some(self.frame.t2(
            "cx-state-rollout",
            ("version", &version),
            ("percent", &percent),
        ))
    }

    /// The content that the form began with, for the form that is sent.
    fn seen(&self) -> String {
        Value::Object(self.at.seen.clone()).to_string()
    }

    /// What somebody else saved, for the form that is sent.
    fn theirs(&self) -> String {
        let theirs = self
            .meanwhile
            .as_ref()
            .map(|meanwhile| meanwhile.theirs.clone());
        Value::Object(theirs.unwrap_or_default()).to_string()
    }

    /// The newest version, where it is not live.
    fn waiting(&self) -> Option<i32> {
        let document = &self.desk.document;
        document.latest_version.filter(|_| {
            document.latest_version != document.live_version && document.archived_at.is_none()
        })
    }
}

/// The page, rendered.
pub fn rendered(
    signed: &Signed,
    desk: Desk,
    key: String,
    mut work: Work,
    status: StatusCode,
) -> HttpResponse {
    let texts = signed.texts;
    let frame = Frame::new(signed, key.clone());
    let known = known(&desk.sources(), &work.model.schema);
    let (content, _) = named(texts, &work.model).content();
    let kept = watch::tests(&content, &mut work.found);
    let offers = Offers {
        texts,
        known: &known,
        personas: &desk.personas,
    };
    let template = EditorPage {
        place: format!(
            "{}/{key}",
            signed.account.tenant.as_deref().unwrap_or_default()
        ),
        is_changed: content != work.at.seen,
        view: View::new(offers, &work.model, work.found),
        try_view: TryView::new(
            texts,
            &work.model,
            &known,
            &desk.samples,
            &desk.recent,
            &work.asked,
            desk.zone(),
        ),
        tried: work.tried,
        troubles: work.troubles,
        meanwhile: work.meanwhile,
        merged_over: work.merged_over,
        conflicts: work.conflicts,
        watch: work.watch,
        tests: kept,
        were_run: work.were_run,
        focus: work.focus,
        note: work.note,
        at: work.at,
        frame,
        desk,
        key,
    };
    page_with(status, &template)
}

/// With a name for each rule, as the API wants it.
pub fn named(texts: Texts, model: &Model) -> Model {
    let mut named = model.clone();
    words::name_rules(texts, &mut named);
    named
}
