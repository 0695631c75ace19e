//! What actix-web and reqwest cost by themselves: takes a request, sends a fixed body to Anam, passes the answer on. No token is verified,
//! nothing is decided, rendered or recorded.

use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpResponse, HttpServer};

use super::stand_in::MINT;

struct Upstream {
    client: reqwest::Client,
    url: String,
    authorization: String,
    body: Bytes,
}

/// Serves until the process ends.
pub(super) fn serve(port: u16, anam: &str, api_key: &str) -> anyhow::Result<()> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .tcp_nodelay(true)
        .pool_max_idle_per_host(512)
        .build()?;
    let upstream = Data::new(Upstream {
        client,
        url: format!("{anam}{MINT}"),
        authorization: format!("Bearer {api_key}"),
        body: fixed_body().into(),
    });
    let served = HttpServer::new(move || {
        App::new()
            .app_data(Data::clone(&upstream))
            .route("/healthz", web::get().to(HttpResponse::Ok))
            .route("/v1/session-token", web::post().to(forward))
    });
    actix_web::rt::System::new().block_on(served.bind(("127.0.0.1", port))?.run())?;
    Ok(())
}

/// As long as what the gateway sends.
pub(super) fn fixed_body() -> String {
    let prompt = "You are the guide of this shop, and you speak live, face to face. ".repeat(23);
    serde_json::json!({
        "clientLabel": "01a20cf2-8664-7d32-bcf4-e92b3b03395e",
        "personaConfig": {
            "name": "Guide", "systemPrompt": prompt, "avatarId": "avatar", "voiceId": "voice", "llmId": "llm",
            "languageCode": "en", "maxSessionLengthSeconds": 900,
        },
    })
    .to_string()
}

async fn forward(upstream: Data<Upstream>, _body: Bytes) -> HttpResponse {
    let request = upstream
        .client
        .post(&upstream.url)
        .header("authorization", &upstream.authorization)
        .header("content-type", "application/json")
        .body(upstream.body.clone());
    let answer = async { request.send().await?.error_for_status()?.bytes().await }.await;
    match answer {
        Ok(body) => HttpResponse::Ok()
            .content_type("application/json")
            .body(body),
        Err(error) => HttpResponse::BadGateway().body(error.to_string()),
    }
}
