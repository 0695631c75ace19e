//! `shared-issuer`.

use crate::harness::cli::{Folder, environment_of, program};
use crate::harness::tenants::Bench;

const ISSUER: &str = "
issuer: https://shared.example
audiences: [app]
keys: {discovery: true}
";

#[tokio::test]
async fn a_shared_issuer_is_added_listed_and_removed() {
    let (bench, folder) = (Bench::new().await, Folder::new());
    folder.write("issuer.yaml", ISSUER);
    let run = async |args: &[&str]| {
        program(&[&["shared-issuer"], args].concat())
            .envs(&environment_of(&bench))
            .folder(folder.path())
            .run()
            .await
    };

    let added = run(&["add", "issuer.yaml", "--tenant-claim", "/org/slug"]).await;
    assert_eq!((added.code, added.err.as_str()), (Some(0), ""));
    let again = run(&["add", "issuer.yaml", "--tenant-claim", "org"]).await;
    assert_eq!(again.code, Some(1));
    assert!(
        again.err.contains("belong to another issuer"),
        "{}",
        again.err
    );

    let listed = run(&["list"]).await.out;
    assert!(
        listed.contains("https://shared.example  tenant from /org/slug"),
        "{listed}"
    );
    let id = listed.split_whitespace().next().unwrap().to_owned();
    assert_eq!(run(&["remove", &id]).await.code, Some(0));
    assert_eq!(
        run(&["remove", &id]).await.code,
        Some(1),
        "it is gone already"
    );
    assert_eq!(run(&["list"]).await.out, "");
}

#[tokio::test]
async fn an_issuer_that_cannot_be_shared_is_refused_with_its_line() {
    let (bench, folder) = (Bench::new().await, Folder::new());
    let secret = "issuer: https://shared.example\naudiences: [app]\nalgorithms: [HS256]\nkeys: {sharedSecret: true}\n";
    for (text, code, told) in [
        (
            "issuer: https://shared.example\naudiences: []\nkeys: {discovery: true}\n",
            2,
            "issuer.yaml:2:1: /audiences",
        ),
        (secret, 1, "needs public keys"),
        (
            "issuer: https://shared.example\naudiences: [app]\nkeys:\n  jwks: {keys: [{kty: RSA, n: AQAB, e: AQAB}]}\n",
            2,
            "issuer.yaml:4:3: /keys/jwks",
        ),
        ("a: [", 2, "issuer.yaml:2:1: not valid YAML"),
    ] {
        folder.write("issuer.yaml", text);
        let ended = program(&[
            "shared-issuer",
            "add",
            "issuer.yaml",
            "--tenant-claim",
            "org",
        ])
        .envs(&environment_of(&bench))
        .folder(folder.path())
        .run()
        .await;
        assert_eq!(ended.code, Some(code), "{}", ended.err);
        assert!(ended.err.contains(told), "{}", ended.err);
    }
}
