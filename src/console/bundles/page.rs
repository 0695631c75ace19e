//! The page for bundles.

use actix_web::HttpResponse;
use actix_web::ResponseError;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use askama::Template;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::authoring::yaml::{self, Source};
use crate::console::api::Refused;
use crate::console::findings::Finding;
use crate::console::frame::{Frame, page_with};
use crate::console::parts::Change;
use crate::console::said::{Said, english};
use crate::console::visit::{Answer, Form, Signed};

const APPLY: &str = "/v1/admin/bundle:apply";

/// What applying a bundle changes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Plan {
    steps: Vec<Step>,
    unchanged: u64,
    #[serde(default)]
    left_alone: Vec<String>,
    #[serde(default)]
    findings: Vec<Finding>,
}

#[derive(Debug, Deserialize)]
struct Step {
    verb: String,
    target: String,
    #[serde(default)]
    note: Option<String>,
    #[serde(default)]
    changes: Vec<Change>,
}

impl Step {
    fn colour(&self) -> &'static str {
        match self.verb.as_str() {
            "create" => "good",
            "remove" => "bad",
            _ => "accent",
        }
    }
}

/// Something that is wrong with the text.
#[derive(Debug)]
struct Trouble {
    /// Line and column.
    place: String,
    pointer: String,
    said: Said,
}

/// A secret that the bundle refers to: pointer, and what was typed.
#[derive(Debug)]
struct SecretField {
    pointer: String,
    value: String,
}

#[derive(Debug, Default)]
struct BundleForm {
    text: String,
    message: String,
    prune: bool,
    plan: Option<Plan>,
    /// Whether the plan was carried out.
    applied: bool,
    refused: Option<Refused>,
    troubles: Vec<Trouble>,
    secrets: Vec<SecretField>,
}

#[derive(Debug, Template)]
#[template(path = "bundles/page.html")]
struct BundlesPage {
    frame: Frame,
    shown: BundleForm,
}

fn page_of(signed: &Signed, status: StatusCode, shown: BundleForm) -> HttpResponse {
    let frame = Frame::new(signed, signed.texts.say("bundles"));
    page_with(status, &BundlesPage { frame, shown })
}

/// The page.
pub async fn show(signed: Signed) -> HttpResponse {
    page_of(&signed, StatusCode::OK, BundleForm::default())
}

/// The tenant as a file.
pub async fn export(signed: Signed) -> Answer {
    let bundle: Value = signed.api.get("/v1/admin/bundle").await?;
    let name = signed.account.tenant.as_deref().unwrap_or("tenant");
    let (media_type, end, text) = if signed.parameter("as").as_deref() == Some("json") {
        let text = serde_json::to_string_pretty(&bundle).unwrap_or_default();
        ("application/json", "json", text)
    } else {
        ("application/yaml", "yaml", yaml::write(&bundle))
    };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, media_type))
        .insert_header((
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}.{end}\""),
        ))
        .body(text))
}

/// Shows the plan, or carries it out.
pub async fn apply(signed: Signed, form: Form) -> Answer {
    let mut shown = BundleForm {
        text: form.get("text").to_owned(),
        message: form.get("message").to_owned(),
        prune: form.has("prune"),
        ..BundleForm::default()
    };
    let source = match Source::parse(&shown.text) {
        Ok(source) => source,
        Err(fault) => {
            shown.troubles.push(Trouble {
                place: fault.place.to_string(),
                pointer: fault.pointer,
                said: english(signed.texts, &fault.message),
            });
            return Ok(page_of(&signed, StatusCode::UNPROCESSABLE_ENTITY, shown));
        }
    };
    let secrets: Map<String, Value> = form
        .fields()
        .filter_map(|(name, value)| Some((name.strip_prefix("secret:")?, value)))
        .filter(|(_, value)| !value.is_empty())
        .map(|(pointer, value)| (pointer.to_owned(), value.into()))
        .collect();
    shown.secrets = fields_of(&secrets);
    let applies = form.get("do") == "apply";
    let wish = json!({
        "bundle": source.value,
        "secrets": secrets,
        "dryRun": !applies,
        "prune": shown.prune,
        "message": shown.message.trim(),
    });
    let status = match signed.api.post::<Plan>(APPLY, &wish).await {
        Ok(plan) => {
            shown.plan = Some(plan);
            shown.applied = applies;
            StatusCode::OK
        }
        Err(refused) if refused.status == 403 && refused.errors.is_empty() => return Err(refused),
        Err(refused) if refused.is_signed_out() => return Err(refused),
        Err(refused) => {
            tell(&mut shown, &source, &refused);
            refused.status_code()
        }
    };
    Ok(page_of(&signed, status, shown))
}

fn fields_of(secrets: &Map<String, Value>) -> Vec<SecretField> {
    let fields = secrets.iter().map(|(pointer, value)| SecretField {
        pointer: pointer.clone(),
        value: value.as_str().unwrap_or_default().to_owned(),
    });
    fields.collect()
}

/// Why the API did not take it, by line.
fn tell(shown: &mut BundleForm, source: &Source, refused: &Refused) {
    shown.refused = Some(refused.clone());
    for fault in &refused.errors {
        let pointer = fault.pointer.strip_prefix("/bundle");
        let pointer = pointer.unwrap_or(&fault.pointer);
        shown.troubles.push(Trouble {
            place: source.place(pointer).to_string(),
            pointer: pointer.to_owned(),
            said: refused.said_of(fault),
        });
        let is_asked = fault.message.contains("secret that was not sent");
        if is_asked && shown.secrets.iter().all(|one| one.pointer != pointer) {
            shown.secrets.push(SecretField {
                pointer: pointer.to_owned(),
                value: String::new(),
            });
        }
    }
}
