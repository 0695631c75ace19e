//! The editor's page: everything that its template shows.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;

use super::desk::Desk;
use super::known::known_attributes;
use super::model::Model;
use super::try_it::{Asked, Outcome, State};
use super::try_view::TryView;
use super::view::{Found, Offers, Values, View};
use super::watch::{self, KeptTest, Watch};
use super::words;
use crate::console::frame::{Frame, page, page_with};
use crate::console::saving::Contest;
use crate::console::texts::Texts;
use crate::console::visit::Signed;

#[derive(Debug, Template)]
#[template(path = "contexts/editor.html")]
struct EditorPage {
    frame: Frame,
    desk: Desk,
    key: String,
    view: View,
    /// Whether the form says something else than what is saved.
    is_changed: bool,
    try_view: TryView,
    tried: Option<Outcome>,
    troubles: Vec<String>,
    contest: Contest,
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
    pub asked: Asked,
    pub found: Vec<Found>,
    pub tried: Option<Outcome>,
    pub troubles: Vec<String>,
    pub contest: Contest,
    pub watch: Option<Watch>,
    pub were_run: bool,
    pub focus: String,
    pub note: String,
}

impl EditorPage {
    /// The draft and its state, by which a browser tells whether what it kept is of this form.
    fn state(&self) -> String {
        let begun = &self.desk.writing.begun;
        format!(
            "{}/{}",
            begun.draft.as_deref().unwrap_or_default(),
            begun.etag
        )
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
    let known = known_attributes(&desk.sources(), &work.model.schema);
    let (content, _) = named(texts, &work.model).content();
    let kept = watch::tests(&content, &mut work.found);
    let offers = Offers {
        texts,
        known: &known,
        personas: &desk.personas,
    };
    let template = EditorPage {
        is_changed: content != desk.writing.begun.content,
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
        contest: work.contest,
        watch: work.watch,
        tests: kept,
        were_run: work.were_run,
        focus: work.focus,
        note: work.note,
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
