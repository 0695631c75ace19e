//! The API's document as a page at `/docs`, for reading and trying: Swagger UI, which is part of the program.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, LOCATION, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use utoipa_swagger_ui::Config;

use crate::web::Problem;
use crate::web::codes::Code;

/// The page itself; its scripts and styles come from the crate.
const PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Persona Gateway API</title>
<link rel="stylesheet" href="swagger-ui.css">
<link rel="icon" type="image/png" href="favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>This page needs JavaScript. The document itself is at <a href="../v1/openapi.json">/v1/openapi.json</a>.</noscript>
<script src="swagger-ui-bundle.js"></script>
<script src="swagger-ui-standalone-preset.js"></script>
<script src="swagger-initializer.js"></script>
</body>
</html>
"#;

/// Swagger UI sets style attributes and draws its icons from `data:` addresses. It asks this origin only.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    // Credentials that somebody types in are gone with the page; no validator elsewhere is asked.
    let config = Config::from("../v1/openapi.json")
        .deep_linking(true)
        .display_request_duration(true)
        .doc_expansion("none")
        .filter(true)
        .persist_authorization(false)
        .try_it_out_enabled(true)
        .use_base_layout()
        .validator_url("none");
    Arc::new(config)
});

/// The page's routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/docs", web::to(folder))
        .route("/docs/{file:[^/]*}", web::to(file));
}

/// The page's addresses are relative to its folder.
async fn folder(request: HttpRequest) -> Result<HttpResponse, Problem> {
    only_read(&request)?;
    Ok(HttpResponse::build(StatusCode::PERMANENT_REDIRECT)
        .insert_header((LOCATION, "docs/"))
        .finish())
}

async fn file(request: HttpRequest, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    only_read(&request)?;
    let (kind, bytes, is_compressed) = match name.as_str() {
        "" => (
            "text/html; charset=utf-8".to_owned(),
            Cow::Borrowed(PAGE.as_bytes()),
            false,
        ),
        name => {
            let found = utoipa_swagger_ui::serve(name, CONFIG.clone());
            let found = found.ok().flatten().ok_or(Problem::new(Code::NotFound))?;
            (found.content_type, found.bytes, found.gzpipped)
        }
    };
    let mut answer = HttpResponse::Ok();
    answer
        .content_type(kind)
        .insert_header((CACHE_CONTROL, "public, max-age=3600"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
    if is_compressed {
        answer.insert_header((CONTENT_ENCODING, "gzip"));
    }
    Ok(answer.body(match bytes {
        Cow::Borrowed(bytes) => web::Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    }))
}

fn only_read(request: &HttpRequest) -> Result<(), Problem> {
    match *request.method() {
        Method::GET | Method::HEAD => Ok(()),
        _ => Err(Problem::new(Code::MethodNotAllowed).allow("GET, HEAD")),
    }
}
