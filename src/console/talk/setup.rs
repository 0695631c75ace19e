//! What talking needs beside the API: Anam's SDK, served from here, and where it may connect to.

use std::net::IpAddr;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, web};
use url::{Host, Url};

use crate::anam_sdk::{INTEGRITY, Sdk};
use crate::config::ConsoleSettings;
use crate::console::api::Refused;
use crate::console::guard::POLICY;
use crate::crypto::digest::sha256;

/// What the page's script is told, and what its browser may do.
#[derive(Debug)]
pub struct Setup {
    pub sdk: Sdk,
    /// Where the SDK finds Anam.
    pub anam: String,
    /// Whether that is the stand-in of `dev`, which sends words, and neither picture nor sound.
    pub is_stand_in: bool,
    /// `Content-Security-Policy` of the page.
    pub policy: String,
}

impl Setup {
    pub fn new(base_url: &Url, settings: &ConsoleSettings) -> Self {
        let connects = format!("connect-src 'self' {}", sources(base_url));
        let frames = if settings.anam_is_stand_in {
            // A page of the stand-in speaks for its engine.
            format!("; frame-src {}", base_url.origin().ascii_serialization())
        } else {
            String::new()
        };
        Self {
            sdk: settings.anam_sdk.clone(),
            anam: base_url.as_str().trim_end_matches('/').to_owned(),
            is_stand_in: settings.anam_is_stand_in,
            policy: POLICY.replace("connect-src 'self'", &connects) + &frames,
        }
    }
}

/// Where the SDK connects to: Anam's API, and the engines that it names, which have names of Anam's. Another server on this machine names itself.
fn sources(base_url: &Url) -> String {
    let origin = base_url.origin().ascii_serialization();
    let socket = origin.replacen("http", "ws", 1);
    if is_this_machine(base_url) {
        format!("{origin} {socket}")
    } else {
        format!("{origin} {socket} https://*.anam.ai wss://*.anam.ai")
    }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

/// The address of the SDK, which changes with it.
pub fn script_address() -> String {
    let mut digits = hex::encode(sha256(INTEGRITY.as_bytes()));
    digits.truncate(12);
    format!("/console/talk/anam.js?{digits}")
}

/// Gives the SDK.
pub async fn script(setup: web::Data<Setup>) -> Result<HttpResponse, Refused> {
    let files = setup.sdk.files().await.map_err(|_missing| missing())?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/javascript; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .body(files.script.clone()))
}

/// Gives its licence.
pub async fn licence(setup: web::Data<Setup>) -> Result<HttpResponse, Refused> {
    let files = setup.sdk.files().await.map_err(|_missing| missing())?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
        .body(files.licence.clone()))
}

/// The page says what is missing.
fn missing() -> Refused {
    Refused::own(StatusCode::NOT_FOUND, "not_found", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_stand_in_has_a_page_within_the_page() {
        let url = Url::parse("http://127.0.0.1:8083").unwrap();
        for (anam_is_stand_in, frames) in [(false, ""), (true, "; frame-src http://127.0.0.1:8083")]
        {
            let settings = ConsoleSettings {
                anam_sdk: Sdk::none(),
                anam_is_stand_in,
            };
            let policy = Setup::new(&url, &settings).policy;
            assert!(
                policy.ends_with(&format!("frame-ancestors 'none'{frames}")),
                "{policy}"
            );
        }
    }

    #[test]
    fn the_sdk_may_connect_to_anam_and_to_nobody_else() {
        for (url, wanted) in [
            (
                "https://api.anam.ai",
                "https://api.anam.ai wss://api.anam.ai https://*.anam.ai wss://*.anam.ai",
            ),
            (
                "http://127.0.0.1:8083/",
                "http://127.0.0.1:8083 ws://127.0.0.1:8083",
            ),
            ("http://[::1]:9", "http://[::1]:9 ws://[::1]:9"),
        ] {
            let setup = Setup::new(
                &Url::parse(url).unwrap(),
                &ConsoleSettings {
                    anam_sdk: Sdk::none(),
                    anam_is_stand_in: false,
                },
            );
            assert!(
                setup
                    .policy
                    .contains(&format!("connect-src 'self' {wanted};")),
                "{}",
                setup.policy
            );
            assert!(
                setup
                    .policy
                    .starts_with("default-src 'none'; script-src 'self';")
            );
        }
    }
}
