//! Users who are made up: previews, tests and "try it" use them.

use actix_web::http::Method;
use actix_web::http::header::IF_NONE_MATCH;
use actix_web::web;
use askama::Template;
use serde_json::{Map, Value, json};

use super::api::{Refused, Tagged, encode};
use super::choices::Sample;
use super::frame::{Frame, page_with};
use super::lines;
use super::parts::{Faults, Search};
use super::visit::{Answer, Form, Signed, see};
use crate::domain::key::Key;

const LIST: &str = "/v1/admin/sample-users";
const PAGE: &str = "/console/sample-users";

/// What a form says of a user.
#[derive(Debug, Default)]
struct Typed {
    key: String,
    description: String,
    subject: String,
    /// Lines of `name = value`.
    facts: String,
    preferences: String,
}

#[derive(Debug, Template)]
#[template(path = "samples.html")]
struct SamplesPage {
    frame: Frame,
    list: Vec<Sample>,
    next: Option<String>,
    typed: Typed,
    faults: Faults,
}

#[derive(Debug, Template)]
#[template(path = "sample.html")]
struct SamplePage {
    frame: Frame,
    etag: String,
    typed: Typed,
    faults: Faults,
}

impl Typed {
    fn of(sample: &Sample) -> Self {
        let subject = sample.subject.as_ref().and_then(Value::as_str);
        Self {
            key: sample.key.clone(),
            description: sample.description.clone(),
            subject: subject.unwrap_or_default().to_owned(),
            facts: lines::show(&sample.facts),
            preferences: lines::show(&sample.preferences),
        }
    }

    fn sent(form: &Form) -> Self {
        let text = |name| form.get(name).to_owned();
        Self {
            key: form.get("key").trim().to_owned(),
            description: text("description"),
            subject: form.get("subject").trim().to_owned(),
            facts: text("facts"),
            preferences: text("preferences"),
        }
    }

    /// What the API takes, unless a line can't be read.
    fn body(&self, signed: &Signed) -> Result<Value, Refused> {
        let members = |name: &str, text: &str| {
            lines::read(text).map_err(|line| {
                let message = signed.texts.with("lines-fault", "line", line);
                Refused::faulty(signed.texts, &format!("/{name}"), &message)
            })
        };
        let (facts, preferences) = both(
            members("facts", &self.facts),
            members("preferences", &self.preferences),
        )?;
        let mut body = Map::new();
        body.insert("description".to_owned(), json!(self.description));
        if !self.subject.is_empty() {
            body.insert("subject".to_owned(), json!(self.subject));
        }
        body.insert("facts".to_owned(), facts.into());
        body.insert("preferences".to_owned(), preferences.into());
        Ok(Value::Object(body))
    }
}

/// Both, or what is wrong with either.
fn both<A, B>(one: Result<A, Refused>, other: Result<B, Refused>) -> Result<(A, B), Refused> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(one), Err(other)) => Err(one.and(other)),
        (Err(refused), _) | (_, Err(refused)) => Err(refused),
    }
}

/// All of them.
pub async fn show(signed: Signed) -> Answer {
    render(&signed, Typed::default(), Faults::default()).await
}

async fn render(signed: &Signed, typed: Typed, faults: Faults) -> Answer {
    let Search { list, next, .. } = Search::<Sample>::ask(signed, LIST, "").await?;
    let shown = SamplesPage {
        frame: Frame::new(signed, signed.texts.say("sample-users")),
        list: list.items,
        next,
        typed,
        faults,
    };
    Ok(page_with(shown.faults.status(), &shown))
}

/// Makes one up.
pub async fn create(signed: Signed, form: Form) -> Answer {
    let typed = Typed::sent(&form);
    match put_new(&signed, &typed).await {
        Ok(()) => Ok(see(&format!("{PAGE}?said=sample-made"))),
        Err(refused) if refused.is_signed_out() || refused.status == 403 => Err(refused),
        Err(refused) => render(&signed, typed, refused.into()).await,
    }
}

async fn put_new(signed: &Signed, typed: &Typed) -> Result<(), Refused> {
    let at_key = |message: &str| Refused::faulty(signed.texts, "/key", message);
    let key = Key::parse(&typed.key).map_err(|_bad| at_key(&signed.texts.say("fault-key")));
    let (key, body) = both(key, typed.body(signed))?;
    let path = format!("{LIST}/{key}");
    let call = signed
        .api
        .call(Method::PUT, &path)
        .header(IF_NONE_MATCH, "*");
    match call.body(&body).answered().await {
        Err(refused) if refused.status == 412 => Err(at_key(&signed.texts.say("sample-there"))),
        other => other.map(drop),
    }
}

/// One of them.
pub async fn show_one(signed: Signed, key: web::Path<String>) -> Answer {
    let Tagged { body, etag } = signed.api.tagged::<Sample>(&path(&key)).await?;
    Ok(one(&signed, etag, Typed::of(&body), Faults::default()))
}

fn one(signed: &Signed, etag: String, typed: Typed, faults: Faults) -> actix_web::HttpResponse {
    let shown = SamplePage {
        frame: Frame::new(signed, typed.key.clone()),
        etag,
        typed,
        faults,
    };
    page_with(shown.faults.status(), &shown)
}

/// Saves or deletes: the button says it.
pub async fn change(signed: Signed, key: web::Path<String>, form: Form) -> Answer {
    let typed = Typed {
        key: key.clone(),
        ..Typed::sent(&form)
    };
    let (path, etag) = (path(&key), form.get("etag"));
    let (done, said) = if form.get("do") == "delete" {
        let call = signed.api.call(Method::DELETE, &path).seen(etag);
        (call.answered().await, "sample-deleted")
    } else {
        match typed.body(&signed) {
            Ok(body) => {
                let call = signed.api.call(Method::PUT, &path).seen(etag);
                (call.body(&body).answered().await, "sample-saved")
            }
            Err(refused) => (Err(refused), ""),
        }
    };
    match done {
        Ok(_) => Ok(see(&format!("{PAGE}?said={said}"))),
        Err(refused) if matches!(refused.status, 409 | 412 | 422) => {
            Ok(one(&signed, etag.to_owned(), typed, refused.into()))
        }
        Err(refused) => Err(refused),
    }
}

fn path(key: &str) -> String {
    format!("{LIST}/{}", encode(key))
}
