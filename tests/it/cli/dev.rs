//! `dev`: everything on one machine, from nothing.

use persona_gateway::dev::emulator::{ApiKeys, Emulator, EmulatorConfig};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::harness::cli::{Folder, Running, program};
use crate::harness::postgres::TestDatabase;

fn start(folder: &Folder, more: &[&str]) -> Running {
    let data = folder.path().join("data");
    let args = [
        &["dev", "--port", "0", "--data", data.to_str().unwrap()],
        more,
    ]
    .concat();
    program(&args).folder(folder.path()).start()
}

async fn ready(running: &Running) -> Value {
    serde_json::from_str(&running.out_with("{").await).unwrap()
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn stop(running: Running) {
    running.signal("INT").await;
    let ended = running.end().await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
}

async fn json_of(request: reqwest::RequestBuilder) -> Value {
    request.send().await.unwrap().json().await.unwrap()
}

/// What the line says of one thing.
fn of(line: &Value, name: &str) -> String {
    line[name].as_str().unwrap().to_owned()
}

async fn mint(line: &Value, token: &str, context: &str) -> (u16, Value) {
    let request = client()
        .post(format!("{}/v1/session-token", of(line, "gateway")))
        .bearer_auth(token)
        .json(&json!({ "context": context }));
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// A token of another user, from the local issuer.
async fn somebody(line: &Value) -> String {
    let asked = json!({ "sub": "somebody", "alg": "ES256" });
    let request = client().post(format!("{}/token", of(line, "issuer")));
    of(&json_of(request.json(&asked)).await, "token")
}

async fn preferences(line: &Value, token: &str) -> Value {
    let address = format!("{}/v1/me/preferences", of(line, "gateway"));
    json_of(client().get(address).bearer_auth(token)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dev_serves_what_its_line_of_json_says() {
    let folder = Folder::new();
    let running = start(&folder, &["--json"]);
    let line = ready(&running).await;
    let names: Vec<&String> = line.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "gateway",
            "ops",
            "console",
            "issuer",
            "anam",
            "page",
            "tenant",
            "userToken",
            "adminKey",
            "databaseUrl",
            "dataFolder",
            "adminEmail",
            "adminPassword"
        ]
    );
    assert_eq!(line["tenant"], "demo");
    for context in ["support", "sales", "training", "default"] {
        let (status, answer) = mint(&line, &of(&line, "userToken"), context).await;
        assert_eq!(
            (status, &answer["context"]),
            (200, &json!(context)),
            "{answer}"
        );
    }
    let requests = format!("{}/_emulator/requests", of(&line, "anam"));
    let seen = json_of(client().get(requests)).await;
    assert_eq!(seen.as_array().unwrap().len(), 4);
    assert_eq!(mint(&line, &somebody(&line).await, "support").await.0, 200);
    let readyz = format!("{}/readyz", of(&line, "ops"));
    assert_eq!(client().get(readyz).send().await.unwrap().status(), 200);

    let database = of(&line, "databaseUrl");
    let connection = PgConnection::connect(&database).await.unwrap();
    connection.close().await.unwrap();
    stop(running).await;
    let gone = PgConnection::connect(&database).await;
    assert!(gone.is_err(), "its Postgres is gone");
    assert!(!folder.path().join("data/pg/postmaster.pid").exists());
    let gateway = client().get(of(&line, "gateway")).send().await;
    assert!(gateway.is_err(), "and so is the gateway");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_start_finds_its_data_again_unless_it_is_told_to_throw_them_away() {
    let folder = Folder::new();
    let running = start(&folder, &["--json"]);
    let first = ready(&running).await;
    let token = somebody(&first).await;
    let choice = client()
        .put(format!("{}/v1/me/preferences", of(&first, "gateway")))
        .bearer_auth(&token)
        .json(&json!({ "displayName": "Kept" }));
    assert_eq!(choice.send().await.unwrap().status(), 200);
    stop(running).await;

    let running = start(&folder, &["--json"]);
    let second = ready(&running).await;
    assert_eq!(
        second["adminKey"], first["adminKey"],
        "the same installation"
    );
    let kept = preferences(&second, &somebody(&second).await).await;
    assert_eq!(kept, json!({ "displayName": "Kept" }));
    stop(running).await;

    let running = start(&folder, &["--json", "--fresh"]);
    let third = ready(&running).await;
    assert_ne!(third["adminKey"], first["adminKey"]);
    assert_eq!(
        preferences(&third, &somebody(&third).await).await,
        json!({})
    );
    let sam = preferences(&third, &of(&third, "userToken")).await;
    assert_eq!(
        sam["displayName"], "Sam",
        "the demo's own user, as on the first day"
    );
    stop(running).await;
}

/// The words of a command line, quotes undone; enough for what `dev` prints.
fn words(line: &str) -> Vec<String> {
    line.split('\'')
        .enumerate()
        .flat_map(|(index, part)| match index % 2 {
            0 => part
                .split_whitespace()
                .map(ToOwned::to_owned)
                .collect::<Vec<_>>(),
            _ => vec![part.to_owned()],
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_comes_first_the_curl_line_works_as_printed_and_the_prompt_is_the_users_own() {
    let folder = Folder::new();
    let running = start(&folder, &[]);
    running.out_with("Ctrl-C stops it all").await;
    let page = running.out_with("http").await;
    let page = client().get(page.trim()).send().await.unwrap();
    assert!(
        page.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .contains("script-src 'self';")
    );
    assert!(page.text().await.unwrap().contains("<persona-preferences"));
    let mut command = Vec::new();
    for part in [
        "curl -s -X POST",
        "Authorization: Bearer",
        "Content-Type: application/json",
        "-d '",
    ] {
        command.extend(words(&running.out_with(part).await));
    }
    let url = command
        .iter()
        .find(|word| word.starts_with("http"))
        .unwrap();
    let mut request = client().post(url);
    for (option, value) in command.iter().zip(command.iter().skip(1)) {
        request = match option.as_str() {
            "-H" => {
                let (name, value) = value.split_once(": ").unwrap();
                request.header(name, value)
            }
            "-d" => request.body(value.clone()),
            _ => request,
        };
    }
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{command:?}");
    let look = words(&running.out_with("/_emulator/requests").await);
    let seen: Value = client()
        .get(look.last().unwrap())
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let persona = &seen[0]["body"]["personaConfig"];
    assert_eq!(
        persona["avatarId"], "30fa96d0-26c4-4e55-94a0-517025942e18",
        "Sam's own avatar"
    );
    let prompt = persona["systemPrompt"].as_str().unwrap();
    for part in ["Sam", "cheerful", "T-1042", "My invoice is wrong"] {
        assert!(prompt.contains(part), "{part}: {prompt}");
    }
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_token_is_explained_at_the_terminal() {
    let folder = Folder::new();
    let running = start(&folder, &[]);
    running.out_with("Ctrl-C stops it all").await;
    let address = async |name: &str| {
        let line = running.out_with(name).await;
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    let (gateway, issuer) = (address("  gateway ").await, address("  issuer ").await);
    let asked = json!({ "sub": "sam", "aud": "another-app", "claims": {} });
    let token = json_of(client().post(format!("{issuer}/token")).json(&asked)).await;
    let mint = client().post(format!("{gateway}/v1/session-token"));
    let answer = mint.bearer_auth(of(&token, "token")).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    let line = running.out_with("(wrong_audience)").await;
    assert_eq!(
        line,
        format!(
            "Refused a token: aud names none of this issuer's audiences (wrong_audience) \
             [issuer {issuer}, audience another-app, kid {}]. Add the token's aud to the issuer's audiences if these users are \
             yours; else let the page ask for a token with the audience that is registered.",
            line.split("kid ")
                .nth(1)
                .unwrap()
                .split(']')
                .next()
                .unwrap()
        )
    );
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_belongs_to_one_dev_at_a_time_and_the_next_is_told_who_has_it() {
    let folder = Folder::new();
    let running = start(&folder, &["--json"]);
    let line = ready(&running).await;
    let second = start(&folder, &["--json"]).end().await;
    assert_eq!(second.code, Some(1), "{}", second.err);
    let gateway = of(&line, "gateway");
    let told = second
        .err
        .lines()
        .find(|line| line.contains("another `dev`"));
    let told = told.unwrap_or_else(|| panic!("{}", second.err));
    assert!(told.contains(&gateway), "{told}");
    assert!(
        told.contains("--data FOLDER --port 0") && told.contains(&of(&line, "dataFolder")),
        "{told}"
    );
    // It left the first one as it was: its tokens are good.
    assert_eq!(mint(&line, &somebody(&line).await, "support").await.0, 200);
    running.signal("KILL").await;
    running.end().await;
    let third = start(&folder, &["--json"]);
    let again = ready(&third).await;
    assert_eq!(
        again["adminKey"], line["adminKey"],
        "a killed one gave it back"
    );
    stop(third).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_is_taken_is_named_before_anything_is_made() {
    let folder = Folder::new();
    let data = folder.path().join("data");
    // The third of five that follow each other.
    let (taken, first) = loop {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
        let others = [port - 2, port - 1, port + 1, port + 2];
        if port < 60_000 && others.into_iter().all(free) {
            break (taken, port - 2);
        }
    };
    let first = first.to_string();
    let args = ["dev", "--port", &first, "--data", data.to_str().unwrap()];
    let ended = program(&args).folder(folder.path()).run().await;
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    let port = taken.local_addr().unwrap().port();
    assert!(
        ended
            .err
            .contains(&format!("port {port} (issuer) can't be used")),
        "{}",
        ended.err
    );
    assert!(ended.err.contains("`--port 0`"), "{}", ended.err);
    assert!(!data.exists(), "nothing was made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_database_and_another_anam_are_used_where_the_environment_names_them() {
    let database = TestDatabase::create().await;
    let anam = Emulator::start(EmulatorConfig {
        api_keys: ApiKeys::Only(vec![SecretString::from("a-key-of-ours-0123456789")]),
        ..EmulatorConfig::default()
    })
    .unwrap();
    let folder = Folder::new();
    let data = folder.path().join("data");
    let args = [
        "dev",
        "--json",
        "--port",
        "0",
        "--data",
        data.to_str().unwrap(),
    ];
    let named = |args: &[&str]| {
        program(args)
            .folder(folder.path())
            .env("DATABASE_URL", database.owner_url.expose_secret())
            .env("ANAM_API_KEY", "a-key-of-ours-0123456789")
            .env("ANAM_BASE_URL", &anam.url())
    };
    let running = named(&args).start();
    let line = ready(&running).await;
    assert_eq!(of(&line, "anam"), anam.url());
    assert!(!data.join("pg").exists(), "no Postgres of its own");
    let (status, answer) = mint(&line, &of(&line, "userToken"), "support").await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(anam.requests().len(), 1);
    let sessions = database.rows("select count(*) from session").await;
    assert_eq!(sessions[0]["count"], 1);
    stop(running).await;
    let fresh = named(&[&args[..], &["--fresh"]].concat()).run().await;
    assert_eq!(fresh.code, Some(1), "{fresh:?}");
    assert!(fresh.err.contains("drop it yourself"), "{fresh:?}");
}
