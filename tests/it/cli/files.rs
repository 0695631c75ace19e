//! Files as editors, shells and spreadsheets leave them.

use serde_json::json;

use crate::harness::cli::{Ended, Folder, environment_of, program};
use crate::harness::tenants::Bench;

const BUNDLE: &str = "
tenant: acme
snippets:
  rules: {text: 'Be kind. \u{1f600} Zoë'}
personas:
  guide:
    name: Guide
    systemPrompt: |
      Hi. {{ snippets.rules }}

      Bye.
    avatarId: 071b0286-4cce-4808-bee2-e642f1062de3
    voiceId: de23e340-1416-4dd8-977d-065a7ca11697
    llmId: a7cf662c-2ace-4de1-a21e-ef0fbf144bb7
contexts:
  default:
    rules:
      - {name: '1_000', when: [{attribute: user.plan, operator: equals, values: [1546130668394913823, '2026-11-24', 'y']}], then: {persona: guide}}
    default: guide
providerKey: {file: KEY}
";

fn utf16(text: &str) -> Vec<u8> {
    let marked = format!("\u{feff}{text}");
    marked.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

async fn run(bench: &Bench, folder: &Folder, args: &[&str]) -> Ended {
    program(args)
        .envs(&environment_of(bench))
        .folder(folder.path())
        .run()
        .await
}

#[tokio::test]
async fn a_bundle_is_the_same_however_it_was_saved_and_so_is_its_secret() {
    let (bench, folder) = (Bench::new().await, Folder::new());
    let key = folder.write("key", utf16("anam-key-of-acme-0001\r\n"));
    let text = BUNDLE.replace("KEY", &key);
    folder.write("a.yaml", &text);
    let done = run(&bench, &folder, &["apply", "a.yaml"]).await;
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));

    folder.write("key", "\u{feff}anam-key-of-acme-0001\u{a0}\r\n");
    let windows = text.replace('\n', "\r\n");
    for bytes in [format!("\u{feff}{windows}").into_bytes(), utf16(&windows)] {
        folder.write("a.yaml", bytes);
        let again = run(&bench, &folder, &["apply", "a.yaml"]).await;
        assert_eq!((again.code, again.err.as_str()), (Some(0), ""));
        assert!(again.out.contains("nothing to change"), "{}", again.out);
    }

    for args in [&["export", "acme"][..], &["export", "acme", "--json"]] {
        let exported = run(&bench, &folder, args).await;
        assert_eq!(exported.code, Some(0), "{}", exported.err);
        let escaped: String = exported
            .out
            .chars()
            .flat_map(|c| match c {
                c if c.is_ascii() || !exported.out.starts_with('{') => vec![c],
                c => c
                    .encode_utf16(&mut [0; 2])
                    .iter()
                    .flat_map(|unit| format!("\\u{unit:04x}").chars().collect::<Vec<_>>())
                    .collect(),
            })
            .collect();
        folder.write("b.json", escaped);
        let again = run(&bench, &folder, &["apply", "--prune", "b.json"]).await;
        assert_eq!(
            (again.code, again.err.as_str()),
            (Some(0), ""),
            "{}",
            exported.out
        );
        assert!(again.out.contains("nothing to change"), "{}", again.out);
    }
}

#[tokio::test]
async fn what_can_not_be_read_hides_nothing_else_that_is_wrong() {
    let (bench, folder) = (Bench::new().await, Folder::new());
    folder.write(
        "a.yaml",
        "tenant: acme\nissuers:\n  - {issuer: 'https://i.example', audiences: [a], algorithms: [RS256], leewaySeconds: .inf, keys: {jwks: {keys: [{kty: RSA, kid: short, n: AQAB, e: AQAB}]}}}\nnonsense: 1\npersonas:\n  p: {name: P, maxSessionLengthSeconds: 1e999}\nproviderKey: {file: key}\n",
    );
    folder.write("key", "anam-key\u{200b}-of-acme-0001");
    let ended = run(&bench, &folder, &["apply", "a.yaml"]).await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""));
    for part in [
        "a.yaml:3:87: a number must be finite",
        "a.yaml:6:41: the number is beyond the numbers that are kept",
        "/nonsense",
        "/personas/p",
    ] {
        assert!(ended.err.contains(part), "{part}: {}", ended.err);
    }
    assert!(
        !ended.err.contains("leewaySeconds: must"),
        "told once: {}",
        ended.err
    );
}

#[tokio::test]
async fn an_issuer_without_a_usable_key_is_refused_and_a_secret_with_an_unseen_character_too() {
    let (bench, folder) = (Bench::new().await, Folder::new());
    let bundle = json!({
        "tenant": "acme",
        "issuers": [{ "issuer": "https://i.example", "audiences": ["a"], "algorithms": ["RS256"],
                      "keys": { "jwks": { "keys": [{ "kty": "RSA", "kid": "short", "n": "AQAB", "e": "AQAB" }] } } }],
        "providerKey": { "file": folder.write("key", "anam-key\u{200b}-of-acme-0001") },
    });
    folder.write("a.json", bundle.to_string());
    let ended = run(&bench, &folder, &["apply", "a.json"]).await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""));
    for part in [
        "/issuers/0/keys/jwks: ",
        "/providerKey: character 9 is U+200B ZERO WIDTH SPACE, which is invisible",
    ] {
        assert!(ended.err.contains(part), "{part}: {}", ended.err);
    }
    assert!(!ended.err.contains("of-acme"), "{}", ended.err);
}

#[tokio::test]
async fn what_is_no_text_says_what_to_save_it_as() {
    let (bench, folder) = (Bench::new().await, Folder::new());
    folder.write("a.yaml", b"tenant: acme\nname: Zo\xeb\n");
    let ended = run(&bench, &folder, &["apply", "a.yaml"]).await;
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.err.contains(
            "a.yaml:2:9: the byte 0xEB is not UTF-8 (`ë` in Windows-1252): save the file as UTF-8"
        ),
        "{}",
        ended.err
    );
}

#[tokio::test]
async fn preferences_with_a_byte_order_mark_are_imported_and_utf_16_is_named() {
    let (bench, folder) = (Bench::new().await, Folder::new());
    bench
        .apply("tenant: acme\npolicy: {preferences: {size: {minimum: 0, maximum: 1546130668394913823}}}")
        .await
        .unwrap();
    let args = ["preferences", "import", "users.ndjson", "--tenant", "acme"];
    let line = r#"{"subject":"one","preferences":{"size":1546130668394913822}}"#;
    folder.write("users.ndjson", format!("\u{feff}{line}\r\n"));
    let done = run(&bench, &folder, &args).await;
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    let rows = bench
        .database
        .rows("select choices->>'size' as size from preference")
        .await;
    assert_eq!(rows, [json!({ "size": "1546130668394913822" })]);

    for (bytes, message) in [
        (utf16(line), "UTF-16"),
        (
            line.replace(':', ":\u{a0}").into_bytes(),
            "U+00A0 NO-BREAK SPACE",
        ),
    ] {
        folder.write("users.ndjson", bytes);
        let refused = run(&bench, &folder, &args).await;
        assert!(
            refused.err.contains(message),
            "{message}: {} {}",
            refused.out,
            refused.err
        );
    }
}
