//! Pages for people who look at the API with a browser: at the end of a single sign-on there is nothing else.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER,
};
use actix_web::{HttpRequest, ResponseError};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::Problem;
use super::trace::request_id;
use crate::crypto::digest::sha256;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;margin:0;min-height:100vh;display:grid;place-items:center}\
main{max-width:38rem;padding:2rem;box-sizing:border-box}\
h1{font-size:1.5rem;margin:0 0 1rem}\
code{display:block;padding:1rem;border:1px solid #8888;border-radius:.5rem;overflow-wrap:anywhere;user-select:all;font:1rem/1.5 ui-monospace,monospace}\
a.go{display:inline-block;padding:.6rem 1.2rem;border-radius:.5rem;background:#1d4ed8;color:#fff;text-decoration:none}\
a.go:focus-visible{outline:3px solid #93c5fd}\
kbd{font:inherit;font-family:ui-monospace,monospace}\
p.note{opacity:.75;font-size:.9rem}";

/// Whether the client is a browser that shows pages, by its `Accept` header.
pub fn wants_page(request: &HttpRequest) -> bool {
    let accepted = request.headers().get_all(ACCEPT);
    accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|kind| {
            kind.split(';')
                .next()
                .is_some_and(|kind| kind.trim() == "text/html")
        })
}

/// A text that may be in a page, in quotes too.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

/// A page. It loads nothing, runs nothing, is kept nowhere and tells no other page where one came from. `body` is HTML: what
/// comes from elsewhere in it must be escaped.
pub fn page(status: StatusCode, title: &str, body: &str) -> HttpResponse {
    let title = escape(title);
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        STANDARD.encode(sha256(STYLE.as_bytes()))
    );
    HttpResponse::build(status)
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_SECURITY_POLICY, policy))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header(("cross-origin-opener-policy", "same-origin"))
        .body(format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
             <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{body}\n</main>\n</body>\n</html>\n"
        ))
}

/// A problem as a page, with its status and the time to wait. `advice` is HTML too.
pub fn problem_page(
    request: &HttpRequest,
    problem: &Problem,
    title: &str,
    advice: &str,
) -> HttpResponse {
    let answer = problem.error_response();
    let wait = answer.headers().get(RETRY_AFTER).cloned();
    let wait_words = wait
        .as_ref()
        .and_then(|wait| wait.to_str().ok())
        .map(|seconds| format!(" Wait {seconds} seconds."))
        .unwrap_or_default();
    let id = request_id(request).map_or_else(String::new, |id| {
        format!("<p class=\"note\">If you ask for help, tell this number: {id}</p>")
    });
    let body = format!(
        "<p>{}{wait_words}</p>\n{advice}\n{id}",
        escape(&problem.in_words())
    );
    let mut shown = page(answer.status(), title, &body);
    if let Some(wait) = wait {
        shown.headers_mut().insert(RETRY_AFTER, wait);
    }
    shown
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn only_who_says_so_gets_a_page() {
        for (accept, page) in [
            ("text/html,application/xhtml+xml,*/*;q=0.8", true),
            ("application/json, text/html;q=0.9", true),
            ("*/*", false),
            ("application/json", false),
            ("text/htmlx", false),
        ] {
            let request = TestRequest::get().insert_header(("accept", accept));
            assert_eq!(wants_page(&request.to_http_request()), page, "{accept}");
        }
        assert!(!wants_page(&TestRequest::get().to_http_request()));
    }

    #[test]
    fn nothing_breaks_out_of_a_text() {
        assert_eq!(
            escape("<a href=\"x\">'&'</a>"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;"
        );
    }
}
