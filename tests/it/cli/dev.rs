//! `dev`: everything on one machine, from nothing.

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::harness::cli::{Folder, Running, program};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dev_serves_what_its_line_of_json_says_and_finds_its_data_again() {
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
            "tenant",
            "userToken",
            "adminKey",
            "databaseUrl"
        ]
    );
    assert_eq!(line["tenant"], "demo");
    let of = |name: &str| line[name].as_str().unwrap().to_owned();
    let mint = |gateway: String, token: String, context: &'static str| async move {
        let body = json!({ "context": context });
        let request = client()
            .post(format!("{gateway}/v1/session-token"))
            .bearer_auth(token);
        let answer = request.json(&body).send().await.unwrap();
        (
            answer.status().as_u16(),
            answer.json::<Value>().await.unwrap(),
        )
    };
    for context in ["support", "sales", "training", "default"] {
        let (status, answer) = mint(of("gateway"), of("userToken"), context).await;
        assert_eq!(
            (status, &answer["context"]),
            (200, &json!(context)),
            "{answer}"
        );
    }
    let seen: Value = client()
        .get(format!("{}/_emulator/requests", of("anam")))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(seen.as_array().unwrap().len(), 4);
    let token: Value = client()
        .post(format!("{}/token", of("issuer")))
        .json(&json!({ "sub": "somebody", "alg": "ES256" }))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let token = token["token"].as_str().unwrap().to_owned();
    assert_eq!(mint(of("gateway"), token.clone(), "support").await.0, 200);
    let choice = client()
        .put(format!("{}/v1/me/preferences", of("gateway")))
        .bearer_auth(&token)
        .json(&json!({ "displayName": "Kept" }))
        .send()
        .await
        .unwrap();
    assert_eq!(choice.status(), 200);
    assert_eq!(
        client()
            .get(format!("{}/readyz", of("ops")))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );

    let database = of("databaseUrl");
    PgConnection::connect(&database)
        .await
        .unwrap()
        .close()
        .await
        .unwrap();
    stop(running).await;
    assert!(
        PgConnection::connect(&database).await.is_err(),
        "its Postgres is gone"
    );
    assert!(!folder.path().join("data/pg/postmaster.pid").exists());

    let again = start(&folder, &["--json"]);
    let line = ready(&again).await;
    assert_eq!(line["adminKey"], of("adminKey"), "the same installation");
    let issued = client()
        .post(format!("{}/token", line["issuer"].as_str().unwrap()))
        .json(&json!({ "sub": "somebody" }))
        .send()
        .await
        .unwrap()
        .json::<Value>()
        .await
        .unwrap();
    let kept: Value = client()
        .get(format!(
            "{}/v1/me/preferences",
            line["gateway"].as_str().unwrap()
        ))
        .bearer_auth(issued["token"].as_str().unwrap())
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(kept, json!({ "displayName": "Kept" }));
    stop(again).await;

    let fresh = start(&folder, &["--json", "--fresh"]);
    let line = ready(&fresh).await;
    assert_ne!(line["adminKey"], of("adminKey"));
    let kept: Value = client()
        .get(format!(
            "{}/v1/me/preferences",
            line["gateway"].as_str().unwrap()
        ))
        .bearer_auth(line["userToken"].as_str().unwrap())
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        kept["displayName"], "Sam",
        "the demo's own user, as on the first day"
    );
    stop(fresh).await;
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
async fn the_curl_line_works_as_printed_and_the_prompt_is_the_users_own() {
    let folder = Folder::new();
    let running = start(&folder, &[]);
    running.out_with("Ctrl-C stops it all").await;
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
