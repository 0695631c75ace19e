//! Looking up a user.

use askama::Template;

use crate::console::api::encode;
use crate::console::choices::{RecentUser, recent_users};
use crate::console::frame::{Frame, page};
use crate::console::visit::{Answer, Signed, see};

#[derive(Debug, Template)]
#[template(path = "users/find.html")]
struct UsersPage {
    frame: Frame,
    /// What was looked for and is no id of theirs.
    sought: String,
    /// Who came lately, or those of them who fit.
    recent: Vec<RecentUser>,
}

/// The search, and who came lately. What is typed is a user's id, in full, or a part of the id or name of somebody who came lately.
pub async fn show(signed: Signed) -> Answer {
    let sought = signed.parameter("subject").unwrap_or_default();
    let sought = sought.trim();
    let mut recent = recent_users(&signed.api, "limit=100").await?;
    if !sought.is_empty() {
        let is_id = recent.iter().any(|user| user.subject == sought);
        recent.retain(|user| user.fits(sought));
        // Somebody who has not come lately may have this very id, so one who fits is offered only.
        if is_id || recent.is_empty() {
            return Ok(see(&address(sought)));
        }
    }
    Ok(page(&UsersPage {
        frame: Frame::new(&signed, signed.texts.say("users")),
        sought: sought.to_owned(),
        recent,
    }))
}

/// Where a user's page is.
fn address(subject: &str) -> String {
    format!("/console/users/{}", encode(subject))
}
