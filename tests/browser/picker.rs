//! The preferences picker, on a page of a product whose policy is as strict as a policy can be.

use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::key::Key;
use fantoccini::{Client, Locator};
use reqwest::Method;
use serde_json::{Value, json};

use crate::axe;
use crate::browser::{forbidden, with_browser};
use crate::harness::wait::until;
use crate::harness::{TestApp, TestOptions, spawn, spawn_with};

const PATIENCE: Duration = Duration::from_secs(20);
const LEO: &str = "121d5df1-3f3e-4a48-a237-8ff488e9eed8";
const LUCY: &str = "de23e340-1416-4dd8-977d-065a7ca11697";

const HTML: &str = "<!doctype html>
    <html lang=\"en\"><meta charset=\"utf-8\"><title>Settings</title>
    <script type=\"module\" src=\"/persona-preferences.js\"></script>
    <main><h1>Settings</h1><persona-preferences></persona-preferences></main></html>";
const PICKER: &str = include_str!("../../examples/page/persona-preferences.js");
const FACE: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"8\" height=\"8\"><rect width=\"8\" height=\"8\"/></svg>";

/// A product's page, with a picture and a sample for catalogues.
struct Product {
    url: String,
    server: ServerHandle,
}

impl Product {
    fn serve(app: &TestApp) -> Self {
        let policy = format!(
            "default-src 'none'; script-src 'self'; connect-src {}; img-src 'self'; media-src 'self'; base-uri 'none'; \
             form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
            app.url("")
        );
        let policy = web::Data::new(policy);
        let http = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::clone(&policy))
                .default_service(web::to(answer))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .unwrap();
        let url = format!("http://{}", http.addrs()[0]);
        let running = http.run();
        let server = running.handle();
        tokio::spawn(running);
        Self { url, server }
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

async fn answer(policy: web::Data<String>, request: HttpRequest) -> HttpResponse {
    let (media_type, body) = match request.path() {
        "/" => ("text/html", HTML.into()),
        "/persona-preferences.js" => ("text/javascript", PICKER.into()),
        "/face.svg" => ("image/svg+xml", FACE.into()),
        "/sample.wav" => ("audio/wav", silence()),
        _ => return HttpResponse::NotFound().finish(),
    };
    HttpResponse::Ok()
        .insert_header(("Content-Security-Policy", policy.as_str()))
        .content_type(media_type)
        .body(body)
}

/// A fifth of a second of nothing, 8 bits at 8 kHz.
fn silence() -> Vec<u8> {
    let (rate, samples) = (8000_u32, 1600_u32);
    let mut wave = b"RIFF".to_vec();
    wave.extend((36 + samples).to_le_bytes());
    wave.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wave.extend([rate.to_le_bytes(), rate.to_le_bytes()].concat());
    wave.extend(b"\x01\0\x08\0data");
    wave.extend(samples.to_le_bytes());
    wave.resize(wave.len() + 1600, 0x80);
    wave
}

/// Opens the page and gives the picker a function that returns these tokens, one after the other, the last again and again.
async fn open(browser: &Client, product: &Product, app: &TestApp, tokens: &[&str]) {
    browser.goto(&product.url).await.unwrap();
    let script = "
        const [gateway, tokens] = arguments;
        const picker = document.querySelector('persona-preferences');
        window.asked = [];
        window.events = [];
        for (const name of ['change', 'persona-preferences-saved', 'persona-preferences-error']) {
            document.addEventListener(name, ({ detail }) => events.push([name, detail]));
        }
        picker.setAttribute('gateway', gateway);
        picker.token = async ({ refresh }) => tokens[Math.min(asked.push(refresh), tokens.length) - 1];
    ";
    let arguments = vec![json!(app.url("")), json!(tokens)];
    browser.execute(script, arguments).await.unwrap();
}

/// Something in the picker, as soon as it is there.
async fn inside(browser: &Client, css: &str) -> Element {
    until(&format!("{css} in the picker"), PATIENCE, || async {
        let picker = Locator::Css("persona-preferences");
        let root = browser.find(picker).await.ok()?.shadow_root().await.ok()?;
        root.find(Locator::Css(css)).await.ok()
    })
    .await
}

/// Waits until the picker says this; gives all that it says.
async fn says(browser: &Client, part: &str) -> String {
    until(&format!("the picker says {part:?}"), PATIENCE, || async {
        let status = inside(browser, "[role=status]").await;
        let text = status.text().await.ok()?;
        text.contains(part).then_some(text)
    })
    .await
}

async fn save(browser: &Client) {
    let button = inside(browser, "button[type=submit]").await;
    button.click().await.unwrap();
}

async fn type_into(browser: &Client, field: &str, text: &str) {
    let input = inside(browser, &format!("#field-{field}")).await;
    input.clear().await.unwrap();
    input.send_keys(text).await.unwrap();
}

/// What a script on the page gives.
async fn of_page(browser: &Client, script: &str) -> Value {
    browser.execute(script, Vec::new()).await.unwrap()
}

async fn stored(app: &TestApp, token: &str) -> Value {
    let answer = app.request(Method::GET, "/v1/me/preferences", token).send();
    answer.await.unwrap().json().await.unwrap()
}

async fn press(browser: &Client, keys: &[char]) {
    let mut actions = KeyActions::new("keyboard".to_owned());
    for key in keys {
        actions = actions
            .then(KeyAction::Down { value: *key })
            .then(KeyAction::Up { value: *key });
    }
    browser.perform_actions(actions).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_chooses_everything_with_the_keyboard_alone() {
    let app = spawn().await;
    let product = Product::serve(&app);
    with_browser(|browser| async move {
        let token = app.user("user-9");
        open(&browser, &product, &app, &[&token]).await;
        inside(&browser, "#field-tone").await;

        let (tab, down) = (char::from(Key::Tab), char::from(Key::Down));
        // The third face, the first voice, German, a name, a tone, the second experience; then the button.
        press(&browser, &[tab, down, down, down, tab, down, tab, 'G']).await;
        press(&browser, &[tab, 'K', 'i', 'm', tab, 'w', 'a', 'r', 'm']).await;
        press(&browser, &[tab, 'I', tab, char::from(Key::Enter)]).await;
        says(&browser, "Saved.").await;

        let chosen = json!({
            "avatarId": LEO,
            "voiceId": LUCY,
            "languageCode": "de",
            "displayName": "Kim",
            "tone": "warm",
            "experience": "intermediate",
        });
        let read = stored(&app, &token).await;
        assert_eq!(read, chosen);
        let value = of_page(
            &browser,
            "return document.querySelector('persona-preferences').value;",
        );
        assert_eq!(value.await, chosen);
        let events = of_page(&browser, "return events;").await;
        let last = events.as_array().unwrap().last().unwrap().clone();
        assert_eq!(last, json!(["persona-preferences-saved", chosen]));
        let focused =
            "return document.querySelector('persona-preferences').shadowRoot.activeElement.type;";
        assert_eq!(of_page(&browser, focused).await, "submit");
        assert_eq!(
            of_page(&browser, "return asked;").await,
            json!([false, false, false])
        );
        assert_eq!(forbidden(&browser).await, Vec::<Value>::new());
        app.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_made_elsewhere_is_loaded_and_what_the_user_changed_is_kept() {
    let app = spawn().await;
    let product = Product::serve(&app);
    with_browser(|browser| async move {
        let token = app.user("user-9");
        open(&browser, &product, &app, &[&token]).await;
        type_into(&browser, "displayName", "Kim").await;
        app.prefer(
            &token,
            &json!({ "tone": "brief", "displayName": "Somebody" }),
        )
        .await;

        save(&browser).await;
        says(&browser, "changed elsewhere").await;

        assert_eq!(typed_tone(&browser).await, "brief");
        let focused =
            "return document.querySelector('persona-preferences').shadowRoot.activeElement.type;";
        assert_eq!(
            of_page(&browser, focused).await,
            "submit",
            "ready to save again"
        );
        let elsewhere = json!({ "tone": "brief", "displayName": "Somebody" });
        assert_eq!(stored(&app, &token).await, elsewhere);
        save(&browser).await;
        says(&browser, "Saved.").await;
        let both = json!({ "tone": "brief", "displayName": "Kim" });
        assert_eq!(stored(&app, &token).await, both);

        // Taking a choice back removes it, and no other.
        let name = inside(&browser, "#field-displayName").await;
        name.clear().await.unwrap();
        save(&browser).await;
        until("the name is gone", PATIENCE, || async {
            (stored(&app, &token).await == json!({ "tone": "brief" })).then_some(())
        })
        .await;
        app.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_gateway_refuses_is_said_beside_its_field() {
    let app = spawn().await;
    let product = Product::serve(&app);
    with_browser(|browser| async move {
        let token = app.user("user-9");
        open(&browser, &product, &app, &[&token]).await;
        type_into(&browser, "displayName", "Kim\u{202e}").await;
        type_into(&browser, "tone", "warm").await;
        save(&browser).await;
        says(&browser, "Please correct what is marked.").await;

        let error = inside(&browser, "#error-displayName").await;
        let told = error.text().await.unwrap();
        assert!(told.contains("which is invisible"), "{told}");
        let name = inside(&browser, "#field-displayName").await;
        assert_eq!(name.attr("aria-invalid").await.unwrap().unwrap(), "true");
        let described = name.attr("aria-describedby").await.unwrap();
        assert_eq!(described.unwrap(), "error-displayName");
        let focused =
            "return document.querySelector('persona-preferences').shadowRoot.activeElement.id;";
        assert_eq!(of_page(&browser, focused).await, "field-displayName");
        let events = of_page(&browser, "return events;").await;
        let last = events.as_array().unwrap().last().unwrap().clone();
        assert_eq!(last[1]["code"], "preference_invalid", "{last}");
        assert_eq!(axe::violations(&browser).await, Vec::<String>::new());

        type_into(&browser, "displayName", "Kim").await;
        save(&browser).await;
        says(&browser, "Saved.").await;
        assert_eq!(error.text().await.unwrap(), "");
        let both = json!({ "displayName": "Kim", "tone": "warm" });
        assert_eq!(stored(&app, &token).await, both);
        app.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_token_is_renewed_once_and_too_many_requests_wait() {
    let app = spawn_with(TestOptions::set(&[("LIMITS__USER_MINTS_PER_MINUTE", "3")])).await;
    let product = Product::serve(&app);
    with_browser(|browser| async move {
        let token = app.user("user-9");
        open(&browser, &product, &app, &["no-token"]).await;
        says(&browser, "Please sign in again.").await;
        assert_eq!(
            of_page(&browser, "return asked;").await,
            json!([false, true])
        );

        open(&browser, &product, &app, &["no-token", &token]).await;
        type_into(&browser, "tone", "warm").await;
        let asked = of_page(&browser, "return asked;").await;
        assert_eq!(asked, json!([false, true, false]));
        save(&browser).await;
        says(&browser, "Saved.").await;
        type_into(&browser, "tone", "brief").await;
        save(&browser).await;
        let told = says(&browser, "Too busy right now.").await;
        let seconds: String = told.chars().filter(char::is_ascii_digit).collect();
        assert!((1..=60).contains(&seconds.parse().unwrap()), "{told}");
        let button = inside(&browser, "button[type=submit]").await;
        let disabled = button.attr("aria-disabled").await.unwrap();
        assert_eq!(disabled.unwrap(), "true");
        let before = of_page(&browser, "return asked.length;").await;
        save(&browser).await;
        assert_eq!(of_page(&browser, "return asked.length;").await, before);
        assert_eq!(typed_tone(&browser).await, "brief", "what was typed stays");

        // Who comes while it is too busy has a button to try again.
        open(&browser, &product, &app, &[&token]).await;
        says(&browser, "Too busy right now.").await;
        let button = inside(&browser, "button[type=submit]").await;
        assert_eq!(button.text().await.unwrap(), "Try again");
        assert_eq!(axe::violations(&browser).await, Vec::<String>::new());
        app.stop().await;
    })
    .await;
}

async fn typed_tone(browser: &Client) -> String {
    let tone = inside(browser, "#field-tone").await;
    tone.prop("value").await.unwrap().unwrap()
}

/// Names that would be markup, scripts or members of an object, if anything took them for that.
fn hostile(product: &Product) -> String {
    let page = &product.url;
    format!(
        r#"
tenant: demo
policy:
  allowedOrigins: ["http://127.0.0.1:*"]
  preferences:
    elements: {{values: ["<svg onload=hit=1>", "constructor", "{{name}}"]}}
    addEventListener: {{maxLength: 20}}
    constructor: {{type: boolean}}
    age: {{minimum: 1, maximum: 150}}
catalogue:
  avatars:
    - {{id: evil, name: "<img src=x onerror=hit=1>", attributes: {{imageUrl: "javascript:hit=1", variantName: "<b>desk</b>"}}}}
    - {{id: seen, name: Seen, attributes: {{imageUrl: "{page}/face.svg"}}}}
    - {{id: gone, name: Gone Missing, attributes: {{imageUrl: "{page}/none.svg"}}}}
  voices:
    - {{id: evil, name: "</label><script>hit=1</script>", attributes: {{sampleUrl: "javascript:hit=1", description: "<i>"}}}}
    - {{id: heard, name: Heard, attributes: {{sampleUrl: "{page}/sample.wav", gender: FEMALE, country: GB}}}}
  languages:
    - {{id: en, name: "</option><script>hit=1</script>"}}
"#
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_text_whatever_is_in_them_and_pictures_and_samples_come_from_the_web() {
    let app = spawn().await;
    let product = Product::serve(&app);
    app.apply(&hostile(&product)).await;
    with_browser(|browser| async move {
        let token = app.user("user-9");
        open(&browser, &product, &app, &[&token]).await;
        let form = inside(&browser, "form").await;
        let text = until("the broken picture is replaced", PATIENCE, || async {
            let text = form.text().await.unwrap();
            text.contains("GM").then_some(text)
        })
        .await;
        for name in [
            "<img src=x onerror=hit=1>",
            "<b>desk</b>",
            "</label><script>hit=1</script>",
            "</option><script>hit=1</script>",
            "<svg onload=hit=1>",
            "{name}",
            "Add event listener",
            "Constructor",
            "female, United Kingdom",
        ] {
            assert!(text.contains(name), "{name}: {text}");
        }
        let seen = "
            const root = document.querySelector('persona-preferences').shadowRoot;
            const all = (css) => [...root.querySelectorAll(css)];
            return {
                hit: typeof hit,
                foreign: all('script, svg, b, i').length,
                pictures: all('img').map((image) => new URL(image.src).pathname),
                samples: all('[part=sample]').map((button) => button.getAttribute('aria-label')),
            };
        ";
        assert_eq!(
            of_page(&browser, seen).await,
            json!({"hit": "undefined", "foreign": 0, "pictures": ["/face.svg"], "samples": ["Listen to Heard"]})
        );

        let sample = inside(&browser, "[part=sample]").await;
        sample.click().await.unwrap();
        until("the sample has ended", PATIENCE, || async {
            let pressed = sample.attr("aria-pressed").await.unwrap();
            (pressed.as_deref() == Some("false")).then_some(())
        })
        .await;
        assert_eq!(says(&browser, "").await, "", "it could be played");

        type_into(&browser, "age", "151").await;
        save(&browser).await;
        says(&browser, "Please correct").await;
        type_into(&browser, "age", "33").await;
        let evil = inside(&browser, "input[name=voiceId][value=evil]").await;
        evil.click().await.unwrap();
        save(&browser).await;
        says(&browser, "Saved.").await;
        let chosen = json!({ "age": 33, "voiceId": "evil" });
        assert_eq!(stored(&app, &token).await, chosen);
        assert_eq!(forbidden(&browser).await, Vec::<Value>::new());
        app.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_speaks_the_pages_language_wears_its_colours_and_forgets_who_has_left() {
    let app = spawn().await;
    let product = Product::serve(&app);
    with_browser(|browser| async move {
        let token = app.user("user-1");
        open(&browser, &product, &app, &[&token]).await;
        type_into(&browser, "tone", "brief").await;
        assert_eq!(axe::violations(&browser).await, Vec::<String>::new());

        let german = "
            Object.assign(document.documentElement.style, { colorScheme: 'dark', background: 'Canvas' });
            const picker = document.querySelector('persona-preferences');
            picker.lang = 'de';
            picker.texts = { experience: 'Erfahrung', 'experience.beginner': 'Neu hier' };
        ";
        of_page(&browser, german).await;
        let form = inside(&browser, "form").await;
        let text = form.text().await.unwrap();
        for part in ["Gesicht", "Stimme", "Erfahrung", "Neu hier", "Speichern"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(typed_tone(&browser).await, "brief", "what was typed stays");
        let background = inside(&browser, ".card").await;
        let background = background.css_value("background-color").await.unwrap();
        assert_eq!(background, "rgba(32, 36, 40, 1)");
        assert_eq!(axe::violations(&browser).await, Vec::<String>::new());

        let leave = "document.querySelector('persona-preferences').token = undefined;";
        of_page(&browser, leave).await;
        assert_eq!(form.text().await.unwrap(), "");
        app.stop().await;
    })
    .await;
}
