//! `tenant`, `admin` and `api-key`: how the first people and machines get in.

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::harness::cli::{Ended, Folder, environment_of, program};
use crate::harness::tenants::Bench;

const PASSWORD: &str = "a good long password\n";

struct Cli {
    bench: Bench,
    folder: Folder,
}

impl Cli {
    async fn new() -> Self {
        Self {
            bench: Bench::new().await,
            folder: Folder::new(),
        }
    }

    async fn run(&self, line: &str) -> Ended {
        self.run_with(line, "").await
    }

    /// With this on standard input.
    async fn run_with(&self, line: &str, input: &str) -> Ended {
        let args: Vec<&str> = line.split(' ').collect();
        let file = self.folder.write("input", input);
        program(&args)
            .envs(&environment_of(&self.bench))
            .stdin(&file)
            .run()
            .await
    }

    async fn done(&self, line: &str, input: &str) -> String {
        let ended = self.run_with(line, input).await;
        assert_eq!(ended.code, Some(0), "{line}: {}", ended.err);
        ended.out
    }

    async fn trail(&self) -> Vec<Value> {
        self.bench
            .database
            .rows(
                "select actor || ' ' || action || ' ' || target as line from audit_event
                 where tenant_id <> '00000000-0000-0000-0000-000000000000' order by seq",
            )
            .await
    }
}

#[tokio::test]
async fn a_tenant_its_owner_and_a_key_are_made() {
    let cli = Cli::new().await;
    cli.done("tenant create acme --name Acme", "").await;
    let again = cli.run("tenant create acme").await;
    assert_eq!(again.code, Some(1));
    assert!(
        again.err.contains("there is a tenant `acme` already"),
        "{}",
        again.err
    );
    let listed = cli.done("tenant list --json", "").await;
    let listed: Value = serde_json::from_str(listed.trim()).unwrap();
    assert_eq!(
        (&listed["slug"], &listed["name"], &listed["active"]),
        (&json!("acme"), &json!("Acme"), &json!(true))
    );

    let out = cli
        .done(
            "admin create --email Ann@example.com --tenant acme --role owner",
            PASSWORD,
        )
        .await;
    assert_eq!(out, "ann@example.com is owner of acme.\n");
    let people = cli
        .bench
        .database
        .rows("select a.email, a.operator, left(a.password_hash, 10) as hash, m.role from admin a join membership m on m.admin_id = a.id")
        .await;
    assert_eq!(
        people,
        [
            json!({ "email": "ann@example.com", "operator": false, "hash": "$argon2id$", "role": "owner" })
        ]
    );

    let ended = cli
        .run("api-key create --tenant acme --name ci --role publisher --expires 90d")
        .await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let key = ended.out.trim();
    assert!(
        key.starts_with("pgk_") && key.len() == 47 && !ended.err.contains(key),
        "{key}"
    );
    let keys = cli
        .bench
        .database
        .rows("select name, role, created_by, expires_at - created_at between interval '89 days' and interval '91 days' as life from api_key")
        .await;
    assert_eq!(
        keys,
        [json!({ "name": "ci", "role": "publisher", "created_by": "cli:tester", "life": true })]
    );
    let prefix: String = key.chars().take(12).collect();
    assert_eq!(
        cli.trail()
            .await
            .iter()
            .map(|row| row["line"].as_str().unwrap())
            .collect::<Vec<_>>(),
        [
            "cli:tester tenant.create tenant/acme".to_owned(),
            "cli:tester member.create person/ann@example.com".to_owned(),
            format!("cli:tester api_key.create api_key/{prefix}"),
        ]
    );
    cli.done("tenant suspend acme", "").await;
    assert!(
        cli.done("tenant list", "")
            .await
            .trim_end()
            .ends_with("Acme  suspended")
    );
    cli.done("tenant resume acme", "").await;
}

#[tokio::test]
async fn an_invitation_is_printed_and_an_operator_is_made() {
    let cli = Cli::new().await;
    cli.done("tenant create acme", "").await;
    let out = cli
        .done(
            "admin create --email bob@example.com --tenant acme --role editor --invite --json",
            "",
        )
        .await;
    let told: Value = serde_json::from_str(out.trim()).unwrap();
    assert!(
        told["invitation"].as_str().unwrap().starts_with("pgi_"),
        "{told}"
    );
    let out = cli
        .done("admin create --email ops@example.com --operator", PASSWORD)
        .await;
    assert_eq!(out, "ops@example.com runs this installation.\n");
    let hashes = async || {
        cli.bench
            .database
            .rows("select password_hash, disabled_at is null as may from admin")
            .await
    };
    let first = hashes().await;
    cli.done(
        "admin set-password --email ops@example.com",
        "another good password\n",
    )
    .await;
    let second = hashes().await;
    assert_ne!(first, second);
    cli.done("admin disable --email ops@example.com", "").await;
    assert_eq!(hashes().await[0]["may"], false);
    cli.done("admin enable --email ops@example.com", "").await;
    assert_eq!(hashes().await, second);
    // All of it stands in the platform's trail, exported and verified by the same commands.
    let export = cli.done("audit export --platform", "").await;
    let actions: Vec<String> = export
        .lines()
        .filter_map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            let record: Value = serde_json::from_str(line["record"].as_str()?).unwrap();
            Some(record[5].as_str()?.to_owned())
        })
        .collect();
    let expected = [
        "tenant.create",
        "invitation.create",
        "operator.create",
        "person.set_password",
        "person.disable",
        "person.enable",
    ];
    assert_eq!(actions, expected);
    cli.done("audit verify --platform", "").await;
    assert_eq!(
        cli.run("audit verify --platform --tenant acme").await.code,
        Some(2)
    );
}

#[tokio::test]
async fn an_operator_says_whose_an_issuers_tokens_are() {
    let cli = Cli::new().await;
    let issuer = "issuers:\n- {issuer: 'https://login.example', audiences: [app], keys: {discovery: true}}\n";
    for slug in ["acme", "globex"] {
        cli.done(&format!("tenant create {slug}"), "").await;
    }
    let bundle = cli
        .folder
        .write("acme.yaml", format!("tenant: acme\n{issuer}"));
    cli.done(&format!("apply {bundle}"), "").await;
    assert_eq!(
        cli.done("issuer-pair list", "").await,
        "acme  https://login.example  app  claimed (operator)\n"
    );
    let theirs = cli
        .folder
        .write("globex.yaml", format!("tenant: globex\n{issuer}"));
    let refused = cli.run(&format!("apply {theirs}")).await;
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("belong"), "{}", refused.err);
    let pair = |verb: &str, slug: &str| {
        format!("issuer-pair {verb} --tenant {slug} --issuer https://login.example --audience app")
    };
    cli.done(&pair("withdraw", "acme"), "").await;
    assert_eq!(
        cli.done("issuer-pair list --pending", "").await,
        "acme  https://login.example  app  pending\n"
    );
    cli.done(&format!("apply {theirs}"), "").await;
    let held = cli.run(&pair("assign", "acme")).await;
    assert_eq!(held.code, Some(1));
    assert!(held.err.contains("`globex`"), "{}", held.err);
    cli.done("tenant suspend globex", "").await;
    cli.done(&pair("assign", "acme"), "").await;
    let listed = cli.done("issuer-pair list", "").await;
    assert_eq!(
        listed,
        "acme  https://login.example  app  claimed (operator)\nglobex  https://login.example  app  pending\n"
    );
    cli.done("audit verify --platform", "").await;
}

#[tokio::test]
async fn what_can_not_be_is_refused_in_one_line() {
    let cli = Cli::new().await;
    cli.done("tenant create acme", "").await;
    cli.done(
        "admin create --email ann@example.com --tenant acme --role owner",
        PASSWORD,
    )
    .await;
    for (line, input, code, told) in [
        ("tenant create Acme", "", 2, "must be 1 to 63"),
        (
            "tenant suspend nowhere",
            "",
            1,
            "there is no tenant `nowhere`",
        ),
        (
            "admin create --email bob@example.com --tenant nowhere --role owner",
            PASSWORD,
            1,
            "there is no tenant",
        ),
        (
            "admin create --email bob --tenant acme --role owner",
            PASSWORD,
            1,
            "--email must be an e-mail address",
        ),
        (
            "admin create --email bob@example.com --tenant acme --role owner",
            "short\n",
            1,
            "must have 12 to 128",
        ),
        (
            "admin create --email bob@example.com --tenant acme --role owner",
            "",
            1,
            "--invite",
        ),
        (
            "admin create --email ann@example.com --tenant acme --role owner",
            PASSWORD,
            1,
            "has an account already",
        ),
        (
            "admin create --email bob@example.com --tenant acme",
            PASSWORD,
            2,
            "--role",
        ),
        (
            "admin create --email bob@example.com",
            PASSWORD,
            2,
            "--tenant",
        ),
        (
            "admin create --email bob@example.com --operator --invite",
            "",
            2,
            "cannot be used with",
        ),
        (
            "admin create --email bob@example.com --tenant acme --role root",
            PASSWORD,
            2,
            "viewer, editor, publisher or owner",
        ),
        (
            "admin set-password --email bob@example.com",
            PASSWORD,
            1,
            "there is no account of bob@example.com",
        ),
        (
            "api-key create --tenant acme --name x --role viewer --expires soon",
            "",
            2,
            "90d",
        ),
        (
            "api-key create --tenant acme --name x --role viewer --expires 800d",
            "",
            1,
            "within two years",
        ),
    ] {
        let ended = cli.run_with(line, input).await;
        assert_eq!(ended.code, Some(code), "{line}: {}", ended.err);
        assert!(ended.err.contains(told), "{line}: {}", ended.err);
        assert_eq!(ended.out, "", "{line}");
    }
    let people = cli.bench.database.rows("select count(*) from admin").await;
    assert_eq!(people[0]["count"], 1);
}

#[tokio::test]
async fn keys_are_listed_and_taken_back_by_what_the_list_shows() {
    let cli = Cli::new().await;
    cli.done("tenant create acme", "").await;
    cli.done("tenant create beta", "").await;
    for name in ["ci", "old"] {
        cli.done(
            &format!("api-key create --tenant acme --name {name} --role editor --expires 90d"),
            "",
        )
        .await;
    }
    let listed = async || {
        let out = cli.done("api-key list --tenant acme --json", "").await;
        let keys = out.lines().map(|line| serde_json::from_str(line).unwrap());
        keys.collect::<Vec<Value>>()
    };
    let keys = listed().await;
    let names: Vec<&str> = keys
        .iter()
        .map(|key| key["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["old", "ci"], "newest first");
    assert_eq!(
        (&keys[0]["usable"], &keys[0]["role"]),
        (&json!(true), &json!("editor"))
    );
    let (prefix, id) = (
        keys[0]["prefix"].as_str().unwrap(),
        keys[1]["id"].as_str().unwrap(),
    );
    let elsewhere = cli
        .run(&format!("api-key revoke --tenant beta {prefix}"))
        .await;
    assert_eq!(elsewhere.code, Some(1));
    assert!(
        elsewhere.err.contains("api-key list --tenant beta"),
        "{elsewhere:?}"
    );
    for named in [prefix, id, id] {
        cli.done(&format!("api-key revoke --tenant acme {named}"), "")
            .await;
    }
    assert!(
        listed()
            .await
            .iter()
            .all(|key| key["usable"] == false && !key["revokedAt"].is_null())
    );
    let text = cli.done("api-key list --tenant acme", "").await;
    assert!(
        text.lines().all(|line| line.contains("revoked 2")),
        "{text}"
    );
    let told = cli
        .bench
        .database
        .rows(
            "select count(*) from audit_event where action = 'api_key.revoke' and actor = 'cli:tester'
             group by tenant_id = '00000000-0000-0000-0000-000000000000'",
        )
        .await;
    assert_eq!(
        told,
        [json!({ "count": 2 }), json!({ "count": 2 })],
        "in the tenant's trail and in the platform's, once a key"
    );
}

#[tokio::test]
async fn people_are_listed_with_what_they_may_where() {
    let cli = Cli::new().await;
    for slug in ["acme", "beta"] {
        cli.done(&format!("tenant create {slug}"), "").await;
    }
    cli.done(
        "admin create --email ann@example.com --tenant acme --role owner",
        PASSWORD,
    )
    .await;
    cli.done(
        "admin create --email bob@example.com --tenant beta --role viewer",
        PASSWORD,
    )
    .await;
    cli.done("admin create --email ops@example.com --operator", PASSWORD)
        .await;
    cli.done("admin disable --email bob@example.com", "").await;
    assert_eq!(
        cli.done("admin list", "").await,
        "ann@example.com  owner of acme\nbob@example.com  viewer of beta, disabled\nops@example.com  operator\n"
    );
    assert_eq!(
        cli.done("admin list --tenant acme", "").await,
        "ann@example.com  owner of acme\n"
    );
    let told: Value =
        serde_json::from_str(cli.done("admin list --tenant acme --json", "").await.trim()).unwrap();
    assert_eq!(
        told,
        json!({
            "email": "ann@example.com", "name": "ann@example.com", "operator": false, "disabled": false, "hasPassword": true,
            "tenants": [{ "tenant": "acme", "role": "owner", "singleSignOn": false }],
        })
    );
}

#[tokio::test]
async fn a_tenant_is_deleted_when_it_is_meant_and_the_platforms_trail_tells() {
    let cli = Cli::new().await;
    for slug in ["acme", "beta"] {
        cli.done(&format!("tenant create {slug}"), "").await;
    }
    cli.done(
        "admin create --email ann@example.com --tenant acme --role owner",
        PASSWORD,
    )
    .await;
    let owner = cli.bench.database.owner_url.expose_secret().to_owned();
    let delete = async |line: &str, owner: Option<&str>| {
        let args: Vec<&str> = line.split(' ').collect();
        let mut command = program(&args).envs(&environment_of(&cli.bench));
        if let Some(owner) = owner {
            command = command.env("MIGRATE_DATABASE_URL", owner);
        }
        command.run().await
    };
    for (line, owner, why) in [
        ("tenant delete acme", Some(owner.as_str()), "--yes"),
        ("tenant delete acme --yes", None, "MIGRATE_DATABASE_URL"),
        (
            "tenant delete acne --yes",
            Some(owner.as_str()),
            "there is no tenant `acne`",
        ),
    ] {
        let refused = delete(line, owner).await;
        assert_eq!(refused.code, Some(1), "{line}: {refused:?}");
        assert!(refused.err.contains(why), "{line}: {refused:?}");
    }
    let done = delete("tenant delete acme --yes --json", Some(&owner)).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let told: Value = serde_json::from_str(done.out.trim()).unwrap();
    assert_eq!(
        (
            &told["slug"],
            &told["rows"]["membership"],
            &told["rows"]["admin"]
        ),
        (&json!("acme"), &json!(1), &json!(1))
    );
    let listed = cli.done("tenant list", "").await;
    assert!(
        listed.contains("beta") && !listed.contains("acme"),
        "{listed}"
    );
    let trail = cli.done("audit export --platform", "").await;
    assert!(
        trail.contains("tenant.suspend") && trail.contains("tenant.delete"),
        "{trail}"
    );
    cli.done("audit verify --platform", "").await;
    // Its name is free again.
    cli.done("tenant create acme", "").await;
}
