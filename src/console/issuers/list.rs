//! The tenant's issuers.

use askama::Template;

use super::{Issuer, Keys};
use crate::console::api::encode;
use crate::console::frame::{Frame, page};
use crate::console::parts::Listed;
use crate::console::visit::{Answer, Signed};

#[derive(Debug, Template)]
#[template(path = "issuers/list.html")]
struct IssuersPage {
    frame: Frame,
    issuers: Vec<(Issuer, Option<Keys>)>,
}

/// The list, with the state of each one's keys.
pub async fn show(signed: Signed) -> Answer {
    let list: Listed<Issuer> = signed.api.get("/v1/admin/issuers").await?;
    let mut issuers = Vec::new();
    for issuer in list.items {
        let keys = keys(&signed, &issuer).await;
        issuers.push((issuer, keys));
    }
    Ok(page(&IssuersPage {
        frame: Frame::new(&signed, signed.texts.say("issuers")),
        issuers,
    }))
}

/// What there is of an issuer's keys.
pub async fn keys(signed: &Signed, issuer: &Issuer) -> Option<Keys> {
    if !issuer.has_keys() {
        return None;
    }
    let path = format!("/v1/admin/issuers/{}/keys", encode(&issuer.id));
    signed.api.get(&path).await.ok()
}
