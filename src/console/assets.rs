//! Style sheets, scripts and pictures: compiled in, named by what is in them, so that browsers keep them.

use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, web};

use super::api::Refused;
use crate::crypto::digest::sha256;
use actix_web::http::StatusCode;

/// A file that pages load.
struct Asset {
    name: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
}

static ASSETS: [Asset; 4] = [
    Asset {
        name: "console.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_bytes!("assets/console.css"),
    },
    Asset {
        name: "console.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("assets/console.js"),
    },
    Asset {
        name: "talk.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("assets/talk.js"),
    },
    Asset {
        name: "mark.svg",
        media_type: "image/svg+xml",
        bytes: include_bytes!("assets/mark.svg"),
    },
];

/// The first digits of what all files hold together.
static STATE: LazyLock<String> = LazyLock::new(|| {
    let all: Vec<u8> = ASSETS
        .iter()
        .flat_map(|asset| asset.bytes)
        .copied()
        .collect();
    let mut digits = hex::encode(sha256(&all));
    digits.truncate(12);
    digits
});

/// The address of a file.
pub fn address(name: &str) -> String {
    format!("/console/assets/{}/{name}", *STATE)
}

/// Gives a file.
pub async fn give(path: web::Path<(String, String)>) -> Result<HttpResponse, Refused> {
    let (_, name) = path.into_inner();
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    let asset = asset.ok_or_else(|| Refused::own(StatusCode::NOT_FOUND, "not_found", ""))?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, asset.media_type))
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .body(asset.bytes))
}
