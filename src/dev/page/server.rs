//! The page's files, and what it asks for.

use std::io;
use std::net::SocketAddr;

use actix_web::dev::ServerHandle;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::middleware::DefaultHeaders;
use actix_web::{App, HttpResponse, HttpServer, web};
use serde::Serialize;
use serde_json::json;

use crate::anam_sdk::{PACKAGE, Sdk, SdkMissing};
use crate::dev::address::base_url;
use crate::dev::seed::{SampleUser, sample_users};

/// Address, media type, text.
const FILES: [(&str, &str, &str); 4] = [
    (
        "/",
        "text/html; charset=utf-8",
        include_str!("../../../examples/page/index.html"),
    ),
    (
        "/page.css",
        "text/css; charset=utf-8",
        include_str!("../../../examples/page/page.css"),
    ),
    (
        "/page.js",
        "text/javascript; charset=utf-8",
        include_str!("../../../examples/page/page.js"),
    ),
    (
        "/persona-preferences.js",
        "text/javascript; charset=utf-8",
        include_str!("../../../examples/page/persona-preferences.js"),
    ),
];

/// What the page's files can't know.
#[derive(Debug, Clone)]
pub struct PageSettings {
    pub gateway: SocketAddr,
    pub issuer: String,
    /// Where Anam is, unless the SDK knows it by itself.
    pub anam: Option<String>,
    /// Whether that is the stand-in.
    pub stand_in: bool,
}

/// What the page reads first.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    gateway: String,
    issuer: String,
    anam: Option<String>,
    stand_in: bool,
    users: [SampleUser; 3],
}

/// Why the page can't be served.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The address can't be listened on.
    #[error("the page can't listen on {address}: {source}")]
    Bind {
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
}

/// Serves the page; see [`PageHandle`].
#[derive(Debug, Clone, Copy)]
pub struct Page;

/// A page that is served; it stops when this is dropped.
#[derive(Debug)]
pub struct PageHandle {
    url: String,
    stopper: ServerHandle,
}

impl Page {
    /// Listens and serves until the handle is stopped or dropped. Port 0 takes a free one. Needs a running tokio runtime.
    pub fn start(
        bind: SocketAddr,
        settings: PageSettings,
        sdk: Sdk,
    ) -> Result<PageHandle, PageError> {
        let refused = |source| PageError::Bind {
            address: bind,
            source,
        };
        let listener = std::net::TcpListener::bind(bind).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let settings = Settings {
            gateway: base_url(settings.gateway),
            issuer: settings.issuer,
            anam: settings.anam,
            stand_in: settings.stand_in,
            users: sample_users(),
        };
        let policy = policy(&settings);
        let settings = web::Data::new(settings);
        let sdk = web::Data::new(sdk);
        let running = HttpServer::new(move || {
            let headers = DefaultHeaders::new()
                .add((CONTENT_SECURITY_POLICY, policy.as_str()))
                .add((X_CONTENT_TYPE_OPTIONS, "nosniff"))
                .add((REFERRER_POLICY, "no-referrer"))
                .add((CACHE_CONTROL, "no-cache"));
            let mut app = App::new()
                .app_data(web::Data::clone(&settings))
                .app_data(web::Data::clone(&sdk))
                .route("/settings.json", web::get().to(told_settings))
                .route("/sdk.json", web::get().to(told_sdk))
                .route("/anam.js", web::get().to(script))
                .route("/anam.LICENSE.txt", web::get().to(licence));
            for (path, media_type, text) in FILES {
                let answer = move || {
                    std::future::ready(HttpResponse::Ok().content_type(media_type).body(text))
                };
                app = app.route(path, web::get().to(answer));
            }
            app.wrap(headers)
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .map_err(refused)?
        .run();
        let stopper = running.handle();
        tokio::spawn(running);
        Ok(PageHandle {
            url: base_url(address),
            stopper,
        })
    }
}

impl PageHandle {
    /// What a person opens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops serving; returns when the port is free.
    pub async fn stop(self) {
        self.stopper.stop(false).await;
    }
}

impl Drop for PageHandle {
    fn drop(&mut self) {
        // The command is sent at once; the returned future would only wait for its completion.
        drop(self.stopper.stop(false));
    }
}

/// As strict as a product's own page should be, so that the picker and the SDK are seen to work under it.
fn policy(settings: &Settings) -> String {
    let Settings {
        gateway,
        issuer,
        anam,
        stand_in,
        ..
    } = settings;
    // A page of the stand-in speaks for its engine.
    let frames = match anam {
        Some(url) if *stand_in => url,
        _ => "'none'",
    };
    // Anam's engines have names of their own; those of another are where it is itself.
    let anam = match anam {
        Some(url) => format!("{url} {}", url.replacen("http", "ws", 1)),
        None => "https: wss:".to_owned(),
    };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' {gateway} {issuer} {anam}; \
         frame-src {frames}; img-src https: data:; media-src https: blob: mediastream:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'"
    )
}

/// `GET /settings.json`
async fn told_settings(settings: web::Data<Settings>) -> HttpResponse {
    HttpResponse::Ok().json(settings)
}

/// `GET /sdk.json`: where the SDK is, or in one line what is missing. The first answer may take as long as npm does.
async fn told_sdk(sdk: web::Data<Sdk>) -> HttpResponse {
    HttpResponse::Ok().json(match sdk.files().await {
        Ok(_) => {
            json!({ "package": PACKAGE, "script": "anam.js", "licence": "anam.LICENSE.txt" })
        }
        Err(missing) => json!({ "missing": words(missing) }),
    })
}

/// `dev` always has somebody bring it.
fn words(missing: SdkMissing) -> String {
    match missing {
        SdkMissing::NotGiven => "Anam's SDK is missing.".to_owned(),
        SdkMissing::Failed(why) => why,
    }
}

/// `GET /anam.js`
async fn script(sdk: web::Data<Sdk>) -> HttpResponse {
    match sdk.files().await {
        Ok(files) => HttpResponse::Ok()
            .content_type("text/javascript; charset=utf-8")
            .body(files.script.clone()),
        Err(missing) => HttpResponse::ServiceUnavailable().body(words(missing)),
    }
}

/// `GET /anam.LICENSE.txt`
async fn licence(sdk: web::Data<Sdk>) -> HttpResponse {
    match sdk.files().await {
        Ok(files) => HttpResponse::Ok()
            .content_type("text/plain; charset=utf-8")
            .body(files.licence.clone()),
        Err(missing) => HttpResponse::ServiceUnavailable().body(words(missing)),
    }
}
