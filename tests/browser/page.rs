//! A customer's page: it loads the SDK and offers `converse` and `stopped` to the tests.

use std::future::ready;

use actix_web::dev::ServerHandle;
use actix_web::http::header::ContentType;
use actix_web::{App, HttpResponse, HttpServer, web};

use crate::sdk;

const HTML: &str = include_str!("page.html");

/// A server for the page.
pub(crate) struct Page {
    pub(crate) url: String,
    server: ServerHandle,
}

/// Serves the page on a free port of this machine; a browser counts that as secure.
pub(crate) fn serve() -> Page {
    // Before the server, so that a missing SDK fails the test with its own message.
    let script = sdk::umd();
    let http = HttpServer::new(move || {
        App::new().route("/", web::get().to(html)).route(
            "/anam.js",
            web::get().to(move || ready(answer_script(script))),
        )
    })
    .workers(1)
    .disable_signals()
    .bind(("127.0.0.1", 0))
    .expect("a free port");
    let url = format!("http://{}/", http.addrs()[0]);
    let running = http.run();
    let server = running.handle();
    tokio::spawn(running);
    Page { url, server }
}

impl Drop for Page {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

async fn html() -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::html())
        .body(HTML)
}

fn answer_script(script: &'static [u8]) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/javascript")
        .body(script)
}
