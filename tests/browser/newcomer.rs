//! Somebody who has just started `dev`, and clicks.

use std::time::Duration;

use fantoccini::{Client, Locator};
use serde_json::Value;

use crate::axe;
use crate::browser::{forbidden, with_browser};
use crate::harness::cli::{Folder, Program, Running, program};
use crate::harness::wait::until;
use crate::sdk::{SDK, umd};

const PATIENCE: Duration = Duration::from_secs(30);

/// `dev` in a folder of its own.
fn dev(folder: &Folder, more: &[&str]) -> Program {
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    let args = [&["dev", "--json", "--port", "0", "--data", data], more].concat();
    program(&args).folder(folder.path())
}

async fn started(program: Program) -> (Running, Value) {
    let running = program.start();
    let line = running.out_with("{").await;
    (running, serde_json::from_str(&line).unwrap())
}

async fn stop(running: Running) {
    running.signal("INT").await;
    assert_eq!(running.end().await.code, Some(0));
}

/// Waits until something shows a text with this in it; gives the whole text.
async fn shows(browser: &Client, css: &str, part: &str) -> String {
    until(&format!("{css} with {part:?}"), PATIENCE, || async {
        let found = browser.find(Locator::Css(css)).await.ok()?;
        let text = found.text().await.ok()?;
        text.contains(part).then_some(text)
    })
    .await
}

async fn click(browser: &Client, css: &str) {
    let found = browser.find(Locator::Css(css)).await.unwrap();
    found.click().await.unwrap();
}

async fn write(browser: &Client, css: &str, text: &str) {
    let found = browser.find(Locator::Css(css)).await.unwrap();
    found.send_keys(text).await.unwrap();
}

/// Something in the preferences picker, as soon as it is there.
async fn in_picker(browser: &Client, css: &str) -> fantoccini::elements::Element {
    until(&format!("{css} in the picker"), PATIENCE, || async {
        let picker = browser
            .find(Locator::Css("persona-preferences"))
            .await
            .ok()?;
        let root = picker.shadow_root().await.ok()?;
        root.find(Locator::Css(css)).await.ok()
    })
    .await
}

/// Signs in as the sample user at this place in the list.
async fn sign_in(browser: &Client, number: usize, name: &str) {
    let css = format!("#users label:nth-child({number}) input");
    let wait = browser.wait().at_most(PATIENCE);
    let user = wait.for_element(Locator::Css(&css)).await.unwrap();
    user.click().await.unwrap();
    click(browser, "#sign-in button").await;
    shows(browser, "#signed-in", name).await;
}

/// What Anam was asked for last.
async fn last_mint(line: &Value) -> Value {
    let url = format!("{}/_emulator/requests", line["anam"].as_str().unwrap());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let seen: Value = http.get(url).send().await.unwrap().json().await.unwrap();
    let mut seen = seen.as_array().unwrap().iter();
    let mint = seen.find(|call| call["path"] == "/v1/auth/session-token");
    mint.expect("Anam was asked")["body"]["personaConfig"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_signs_in_chooses_and_talks_on_the_page_that_dev_serves() {
    let folder = Folder::new();
    let (running, line) = started(dev(&folder, &["--sdk", SDK.tarball().to_str().unwrap()])).await;
    with_browser(|browser| async move {
        browser.goto(line["page"].as_str().unwrap()).await.unwrap();
        sign_in(&browser, 3, "Noor Haddad").await;

        let leo = "input[value=\"121d5df1-3f3e-4a48-a237-8ff488e9eed8\"]";
        in_picker(&browser, leo).await.click().await.unwrap();
        let name = in_picker(&browser, "#field-displayName").await;
        name.send_keys("Nour").await.unwrap();
        let save = in_picker(&browser, "button[type=submit]").await;
        save.click().await.unwrap();
        let status = in_picker(&browser, "[role=status]").await;
        until("it is saved", PATIENCE, || async {
            let text = status.text().await.unwrap();
            text.starts_with("Saved.").then_some(())
        })
        .await;

        write(&browser, "#metadata-ticketId", "T-77").await;
        click(&browser, "#start").await;
        shows(&browser, "#status", "Liv from support is here.").await;

        let asked = last_mint(&line).await;
        assert_eq!(asked["avatarId"], "121d5df1-3f3e-4a48-a237-8ff488e9eed8");
        let prompt = asked["systemPrompt"].as_str().unwrap();
        for part in ["Nour", "on the free plan", "T-77"] {
            assert!(prompt.contains(part), "{part}: {prompt}");
        }
        let greeting = "Hi Nour, I'm Liv from support. What can I do for you?";
        shows(&browser, "#transcript", greeting).await;
        click(&browser, "#asked summary").await;
        shows(&browser, "#asked", "T-77").await;
        // The stand-in repeats what is written to it.
        write(&browser, "#message", "Is it raining?").await;
        click(&browser, "#write button").await;
        shows(&browser, "#transcript li:last-child", "Liv from support").await;
        let all = shows(&browser, "#transcript", "Is it raining?").await;
        assert_eq!(all.matches("Is it raining?").count(), 2, "{all}");
        assert_eq!(forbidden(&browser).await, Vec::<Value>::new());
        assert_eq!(axe::violations(&browser).await, Vec::<String>::new());

        click(&browser, "#stop").await;
        shows(&browser, "#status", "You hung up.").await;
        stop(running).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_said_where_it_is_and_what_is_missing_with_the_way_to_get_it() {
    let folder = Folder::new();
    let (running, line) = started(dev(&folder, &["--sdk", "/nowhere/sdk.tgz"])).await;
    with_browser(|browser| async move {
        browser.goto(line["page"].as_str().unwrap()).await.unwrap();
        let missing = shows(&browser, "#missing", "Anam's SDK is missing").await;
        assert!(
            missing.contains("npm pack @anam-ai/js-sdk@4.27.0"),
            "{missing}"
        );

        sign_in(&browser, 2, "Kim Lee").await;
        let context = browser.find(Locator::Css("#context")).await.unwrap();
        context.select_by_value("sales").await.unwrap();
        write(&browser, "#metadata-seats", "many").await;
        click(&browser, "#start").await;
        let trouble = shows(&browser, "#trouble", "metadata_invalid").await;
        assert!(
            trouble.contains("Please correct what is marked."),
            "{trouble}"
        );
        shows(&browser, "#metadata", "whole number").await;
        assert_eq!(axe::violations(&browser).await, Vec::<String>::new());

        let seats = browser.find(Locator::Css("#metadata-seats")).await.unwrap();
        seats.clear().await.unwrap();
        seats.send_keys("12").await.unwrap();
        click(&browser, "#start").await;
        // The gateway's part works: only the talk is missing.
        shows(&browser, "#trouble", "You got a session token").await;
        click(&browser, "#asked summary").await;
        shows(&browser, "#asked", "12 seats").await;
        assert_eq!(forbidden(&browser).await, Vec::<Value>::new());
        stop(running).await;
    })
    .await;
}

async fn text_of(line: &Value, path: &str) -> String {
    let url = format!("{}{path}", line["page"].as_str().unwrap());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    http.get(url).send().await.unwrap().text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn npm_brings_the_sdk_once_when_the_page_is_first_opened_and_another_file_is_not_taken_for_it()
 {
    let folder = Folder::new();
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    // An npm of our own, so that the registry has no part in this: it writes what the test says, and that it was called.
    let npm = folder.write(
        "bin/npm",
        "#!/bin/sh\necho called >> ../../../calls\ncp ../../../brought anam-ai-js-sdk-4.27.0.tgz\n",
    );
    std::fs::set_permissions(&npm, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = persona_gateway::config::environment()["PATH"].clone();
    let path = format!("{}:{path}", bin.display());
    let calls = || {
        std::fs::read_to_string(folder.path().join("calls")).map_or(0, |text| text.lines().count())
    };

    folder.write("brought", "something else");
    let (running, line) = started(dev(&folder, &[]).env("PATH", &path)).await;
    assert_eq!(calls(), 0, "the start does without");
    let missing = text_of(&line, "/sdk.json").await;
    assert!(
        missing.contains("not what its registry should have"),
        "{missing}"
    );
    folder.write("brought", std::fs::read(SDK.tarball()).unwrap());
    let (first, second) = tokio::join!(text_of(&line, "/sdk.json"), text_of(&line, "/sdk.json"));
    assert!(first.contains("anam.js") && first == second, "{first}");
    assert_eq!(text_of(&line, "/anam.js").await.as_bytes(), umd());
    let licence = text_of(&line, "/anam.LICENSE.txt").await;
    for part in [
        "@anam-ai/js-sdk@4.27.0",
        "Licence: MIT",
        "ieee754. BSD-3-Clause",
    ] {
        assert!(licence.contains(part), "{licence}");
    }
    assert_eq!(calls(), 2);
    stop(running).await;

    let (running, line) = started(dev(&folder, &[]).env("PATH", &path)).await;
    assert_eq!(text_of(&line, "/sdk.json").await, first);
    assert_eq!(calls(), 2, "it was kept");
    stop(running).await;
}
