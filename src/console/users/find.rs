//! Looking up a user.

use askama::Template;
use serde::Deserialize;

use crate::console::api::encode;
use crate::console::frame::{Frame, page};
use crate::console::parts::{At, Listed};
use crate::console::visit::{Answer, Signed, see};

#[derive(Debug, Deserialize)]
struct Seen {
    at: At,
    #[serde(default)]
    subject: Option<String>,
}

/// Somebody who came lately.
#[derive(Debug)]
struct Recent {
    subject: String,
    address: String,
    at: At,
}

#[derive(Debug, Template)]
#[template(path = "users/find.html")]
struct UsersPage {
    frame: Frame,
    recent: Vec<Recent>,
}

/// The search, and who came lately.
pub async fn show(signed: Signed) -> Answer {
    let sought = signed.parameter("subject").unwrap_or_default();
    let sought = sought.trim();
    if !sought.is_empty() {
        return Ok(see(&format!("/console/users/{}", encode(sought))));
    }
    let seen: Listed<Seen> = signed.api.get("/v1/admin/sessions?limit=100").await?;
    let mut recent: Vec<Recent> = Vec::new();
    for session in seen.items {
        let Some(subject) = session.subject else {
            continue;
        };
        if recent.iter().all(|known| known.subject != subject) {
            recent.push(Recent {
                address: format!("/console/users/{}", encode(&subject)),
                subject,
                at: session.at,
            });
        }
    }
    Ok(page(&UsersPage {
        frame: Frame::new(&signed, signed.texts.say("users")),
        recent,
    }))
}
