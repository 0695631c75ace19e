//! The catalogue follows Anam's lists; what users may choose is the admins' to say.

use persona_gateway::dev::emulator::{Fault, FaultTarget};
use persona_gateway::domain::role::Role;
use persona_gateway::tenants::catalogue::sync::round;
use reqwest::Method;
use serde_json::{Value, json};

use super::{A_SECOND, audited, is_nobodys, neighbours, read, read_body};
use crate::harness::admins::{body, state};
use crate::harness::tenants::serve;
use crate::harness::wait::until;
use crate::harness::{TestApp, TestOptions, context, pointers, problem, spawn, spawn_with};

const CATALOGUE: &str = "/v1/admin/catalogue";
const SYNC: &str = "/v1/admin/catalogue:sync";
const OWN: &str = "anam-key-of-the-tenant-1234";
/// The avatar of the demo's persona `assistant`.
const CARA: &str = "30fa96d0-26c4-4e55-94a0-517025942e18";
/// Listed by Anam, and not in the demo's catalogue.
const ANNE: &str = "27e12daa-50fc-4384-93c2-ebca73f1f78d";

/// The demo tenant with an Anam key of its own.
async fn demo() -> (TestApp, String) {
    let app = spawn_with(TestOptions {
        anam_keys: vec![OWN.into()],
        ..TestOptions::default()
    })
    .await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let wish = json!({ "label": "own", "key": OWN });
    let added = app
        .tell(Method::POST, "/v1/admin/provider-keys", &owner, &wish)
        .await;
    assert_eq!(added.status(), 201);
    app.settle("demo").await;
    (app, owner)
}

async fn sync(app: &TestApp, key: &str) -> Value {
    let done = body(app.ask(Method::POST, SYNC, key).await, 200).await;
    app.settle("demo").await;
    done
}

async fn options(app: &TestApp, member: &str) -> Vec<String> {
    let answer = app.request(Method::GET, "/v1/me/options", &app.user("user-1"));
    let view = body(answer.send().await.unwrap(), 200).await;
    let items = view[member].as_array().unwrap().iter();
    items
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

async fn every(app: &TestApp, kind: &str, key: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut path = format!("{CATALOGUE}/{kind}?limit=10");
    loop {
        let (_, page) = read(app, &path, key).await;
        items.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else {
            return items;
        };
        path = format!("{CATALOGUE}/{kind}?limit=10&cursor={next}");
    }
}

#[tokio::test]
async fn what_anam_lists_comes_in_but_only_an_admin_lets_users_choose_it() {
    let (app, owner) = demo().await;
    let before = options(&app, "avatars").await;
    let done = sync(&app, &owner).await;
    assert_eq!(done["outcome"], "done", "{done}");
    assert_eq!(done["report"]["avatar"]["listed"], 28);
    assert_eq!(done["report"]["avatar"]["new"]["count"], 25);
    assert_eq!(done["report"]["voice"]["listed"], 12);
    assert_eq!(done["report"]["tool"]["new"]["count"], 4);
    assert_eq!(options(&app, "avatars").await, before);

    let avatars = every(&app, "avatar", &owner).await;
    assert_eq!(avatars.len(), 28);
    // What the bundle typed in keeps its name, its place and no attributes.
    assert_eq!(
        (&avatars[0]["id"], &avatars[0]["source"]),
        (&json!(CARA), &json!("typed"))
    );
    assert_eq!(avatars[0]["attributes"], json!({}));
    let anne = avatars.iter().find(|entry| entry["id"] == ANNE).unwrap();
    assert_eq!(
        (&anne["enabled"], &anne["source"]),
        (&json!(false), &json!("anam"))
    );
    assert_eq!(
        anne["attributes"]["availableVersions"],
        json!(["cara-3", "cara-4"])
    );

    let token = app.user("user-1");
    let choose = async || {
        let request = app.request(Method::PUT, "/v1/me/preferences", &token);
        request
            .json(&json!({ "avatarId": ANNE }))
            .send()
            .await
            .unwrap()
    };
    problem(choose().await, 422, "preference_invalid").await;
    let ids = json!({ "ids": [ANNE, CARA] });
    let allowed = read_body(
        &app,
        Method::POST,
        &format!("{CATALOGUE}/avatar:allow"),
        &owner,
        &ids,
    )
    .await;
    assert_eq!(allowed["changed"], json!([ANNE]));
    until("the choice is offered", A_SECOND, || async {
        (choose().await.status() == 200).then_some(())
    })
    .await;
    let config = app.minted_config(&token, &context("default")).await;
    assert_eq!(config["personaConfig"]["avatarId"], ANNE);

    // Taken back: the user's session uses the persona's own.
    read_body(
        &app,
        Method::POST,
        &format!("{CATALOGUE}/avatar:disallow"),
        &owner,
        &json!({ "ids": [ANNE] }),
    )
    .await;
    app.settle("demo").await;
    let config = app.minted_config(&token, &context("default")).await;
    assert_eq!(config["personaConfig"]["avatarId"], CARA);
    assert_eq!(audited(&app, "catalogue.sync").await.len(), 1);
    assert_eq!(
        audited(&app, "catalogue.allow").await[0]["details"]["ids"],
        json!([ANNE])
    );

    // Nothing new: nothing changes.
    let again = sync(&app, &owner).await;
    for kind in ["avatar", "voice", "llm", "tool"] {
        for what in ["new", "changed", "retired", "returned"] {
            assert_eq!(again["report"][kind][what]["count"], 0, "{kind} {what}");
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn what_anam_no_longer_lists_is_retired_and_told_with_those_who_use_it() {
    let (app, owner) = demo().await;
    // As if Anam had listed these once, and they had changed since.
    let tenant = app.tenant("demo").await.0;
    app.database
        .sql(&format!(
            "insert into catalogue_entry (tenant_id, kind, id, name, source, seen_at) values
                 ('{tenant}', 'avatar', '60e60e60-0000-4000-8000-00000000000a', 'Gone', 'anam', now()),
                 ('{tenant}', 'avatar', '{ANNE}', 'An older name', 'anam', now()),
                 ('{tenant}', 'voice', '0e7e7e7e-0000-4000-8000-00000000000b', 'Typed in', 'typed', null);
             update tenant set policy = policy || '{{\"defaults\": {{\"avatarId\": \"60e60e60-0000-4000-8000-00000000000a\"}}}}' where slug = 'demo'"
        ))
        .await;
    app.settle("demo").await;
    let token = app.user("user-1");
    app.prefer(
        &token,
        &json!({ "avatarId": "60e60e60-0000-4000-8000-00000000000a" }),
    )
    .await;
    let content = json!({
        "name": "Old", "avatarId": "60e60e60-0000-4000-8000-00000000000a", "voiceId": "0e7e7e7e-0000-4000-8000-00000000000b", "llmId": "0934d97d-0c3a-4f33-91b0-5e136a0ef466",
        "systemPrompt": "Hello.", "overridable": ["avatarId"],
    });
    let document = json!({ "kind": "persona", "key": "old", "content": content });
    let (etag, draft) = state(
        app.tell(Method::POST, "/v1/admin/documents", &owner, &document)
            .await,
        201,
    )
    .await;
    let seal = format!("/v1/admin/drafts/{}:seal", draft["id"].as_str().unwrap());
    state(
        app.tell_if(Method::POST, &seal, &owner, &etag, &json!({}))
            .await,
        201,
    )
    .await;
    let releases = "/v1/admin/documents/persona/old/releases";
    read_body(
        &app,
        Method::POST,
        releases,
        &owner,
        &json!({ "version": 1 }),
    )
    .await;

    let done = sync(&app, &owner).await;
    assert_eq!(
        done["report"]["avatar"]["retired"]["ids"],
        json!(["60e60e60-0000-4000-8000-00000000000a"])
    );
    assert_eq!(done["report"]["avatar"]["changed"]["ids"], json!([ANNE]));
    assert_eq!(done["report"]["voice"]["retired"]["count"], 0);
    let (_, overview) = read(&app, CATALOGUE, &owner).await;
    let retired = &overview["retired"][0];
    assert_eq!(overview["retired"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&retired["id"], &retired["enabled"]),
        (&json!("60e60e60-0000-4000-8000-00000000000a"), &json!(true))
    );
    assert_eq!(
        retired["usedBy"],
        json!({ "users": 1, "places": [
            { "kind": "persona", "key": "old", "version": 1, "pointer": "/avatarId" },
            { "kind": "policy", "pointer": "/defaults/avatarId" },
        ]})
    );
    assert_eq!(overview["lastSync"]["outcome"], "done");
    // A preference that is no longer offered never breaks a mint.
    assert!(
        !options(&app, "avatars")
            .await
            .contains(&"60e60e60-0000-4000-8000-00000000000a".to_owned())
    );
    let config = app.minted_config(&token, &context("default")).await;
    assert_eq!(config["personaConfig"]["avatarId"], CARA);
    assert_eq!(
        app.last_trace().await["passedOver"][0]["reason"],
        "notInCatalogue"
    );

    // Back again. (Nothing that Anam lists can go in the emulator, so the row tells it.)
    app.database
        .sql(&format!(
            "update catalogue_entry set retired_at = now() where id = '{ANNE}'"
        ))
        .await;
    let done = sync(&app, &owner).await;
    assert_eq!(done["report"]["avatar"]["returned"]["ids"], json!([ANNE]));
    let (etag, _) = read(
        &app,
        &format!("{CATALOGUE}/avatar/60e60e60-0000-4000-8000-00000000000a"),
        &owner,
    )
    .await;
    let path = format!("{CATALOGUE}/avatar/60e60e60-0000-4000-8000-00000000000a");
    let gone = app
        .tell_if(Method::DELETE, &path, &owner, &etag, &json!({}))
        .await;
    assert_eq!(gone.status(), 204);
    app.stop().await;
}

#[tokio::test]
async fn when_anam_fails_what_is_known_stays_and_the_reading_says_why() {
    let (app, owner) = demo().await;
    sync(&app, &owner).await;
    let before = every(&app, "avatar", &owner).await;
    let page = |data: Value, meta: Value| {
        Fault::status(FaultTarget::Catalogue, 200).with_body(json!({ "data": data, "meta": meta }))
    };
    let one = json!([{ "id": "x", "displayName": "X" }]);
    for (name, fault, outcome) in [
        (
            "broken",
            Fault::status(FaultTarget::Catalogue, 500),
            "failed",
        ),
        (
            "refused",
            Fault::status(FaultTarget::Catalogue, 401),
            "failed",
        ),
        (
            "forbidden",
            Fault::status(FaultTarget::Catalogue, 403),
            "failed",
        ),
        (
            "a page of HTML",
            Fault::status(FaultTarget::Catalogue, 200).with_body("<p>"),
            "failed",
        ),
        ("dropped", Fault::dropped(FaultTarget::Catalogue), "failed"),
        (
            "nothing at all",
            Fault::status(FaultTarget::Catalogue, 404),
            "done",
        ),
        (
            "no rows",
            page(json!([]), json!({ "total": 0, "lastPage": 1 })),
            "done",
        ),
        (
            "fewer rows than told",
            page(one.clone(), json!({ "total": 28, "lastPage": 1 })),
            "done",
        ),
        (
            "rows that can't be read",
            page(
                json!([{ "id": 7 }, { "id": "x" }]),
                json!({ "total": 2, "lastPage": 1 }),
            ),
            "done",
        ),
        // Every list answers so, tools too: the last of them are retired, as they may be.
        (
            "one page for ever",
            page(one, json!({ "total": 1, "lastPage": 1_000_000 })),
            "done",
        ),
    ] {
        app.anam.fault(fault);
        let done = sync(&app, &owner).await;
        assert_eq!(done["outcome"], outcome, "{name}: {done}");
        assert_eq!(
            done["report"]["avatar"]["retired"]["count"]
                .as_i64()
                .unwrap_or(0),
            0,
            "{name}: {done}"
        );
        if outcome == "done" {
            assert_eq!(done["report"]["avatar"]["doubted"], true, "{name}: {done}");
        }
        app.anam.clear();
    }
    let after = every(&app, "avatar", &owner).await;
    let known = |entries: &[Value]| {
        let listed = entries.iter().filter(|entry| entry["id"] != "x");
        listed
            .map(|entry| {
                (
                    entry["id"].clone(),
                    entry["enabled"].clone(),
                    entry["retiredAt"].clone(),
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(known(&after), known(&before));
    let (_, syncs) = read(&app, "/v1/admin/catalogue-syncs?limit=100", &owner).await;
    let syncs = syncs["items"].as_array().unwrap();
    assert_eq!(syncs.len(), 11);
    assert_eq!(syncs[9]["report"]["avatar"]["error"], "upstream_error");
    app.stop().await;
}

#[tokio::test]
async fn one_list_that_fails_leaves_its_kind_alone() {
    let (app, owner) = demo().await;
    // The first question is asked twice: a failure that may pass is tried again.
    app.anam
        .fault(Fault::status(FaultTarget::Catalogue, 503).times(2));
    let done = sync(&app, &owner).await;
    assert_eq!(done["outcome"], "partial", "{done}");
    assert_eq!(
        done["report"]["avatar"],
        json!({ "error": "upstream_busy" })
    );
    assert_eq!(done["report"]["voice"]["new"]["count"], 9);
    app.stop().await;
}

#[tokio::test]
async fn behind_the_platforms_key_only_what_is_everybodys_is_shown() {
    let app = spawn().await;
    let owner = app.admin_key("demo", Role::Owner).await;
    let rows = json!([
        { "id": "stock", "displayName": "Stock", "createdByOrganizationId": null },
        { "id": "theirs", "displayName": "The face of another tenant", "createdByOrganizationId": "org" },
    ]);
    let listed = json!({ "data": rows, "meta": { "total": 2, "lastPage": 1 } });
    app.anam
        .fault(Fault::status(FaultTarget::Catalogue, 200).with_body(listed));
    let done = sync(&app, &owner).await;
    assert_eq!(done["report"]["avatar"]["new"]["ids"], json!(["stock"]));
    assert!(done["report"]["tool"].is_null(), "{done}");
    let asked = app.anam.requests();
    assert!(!asked.iter().any(|request| request.path == "/v1/tools"));
    app.stop().await;
}

#[tokio::test]
async fn the_schedule_takes_each_turn_once_however_many_instances_there_are() {
    let (app, owner) = demo().await;
    let second = spawn_with(TestOptions {
        anam_keys: vec![OWN.into()],
        database: Some(app.database.clone()),
        no_demo: true,
        ..TestOptions::default()
    })
    .await;
    let (one, two) = (&app.app.gateway, &second.app.gateway);
    round(one).await.unwrap();
    let count = async || {
        app.database
            .rows("select outcome, actor from catalogue_sync")
            .await
    };
    assert_eq!(count().await.len(), 0, "no policy asks for it");

    let (etag, _) = read(&app, "/v1/admin/policy", &owner).await;
    let patch = json!({ "catalogueSync": { "everyHours": 2, "allowNew": true } });
    let patched = app
        .tell_if(Method::PATCH, "/v1/admin/policy", &owner, &etag, &patch)
        .await;
    assert_eq!(patched.status(), 200);
    let (a, b, c, d) = tokio::join!(round(one), round(two), round(one), round(two));
    for ended in [a, b, c, d] {
        ended.unwrap();
    }
    let rows = count().await;
    assert_eq!(
        rows,
        [json!({ "outcome": "done", "actor": "gateway:schedule" })]
    );
    app.settle("demo").await;
    assert!(
        options(&app, "avatars").await.contains(&ANNE.to_owned()),
        "the policy allows new ones"
    );
    round(one).await.unwrap();
    assert_eq!(count().await.len(), 1, "its turn is over");

    // Some hours on; and one that never ended.
    for (sql, runs) in [
        (
            "update catalogue_sync set started_at = started_at - interval '3 hours'",
            2,
        ),
        (
            "update catalogue_sync set started_at = started_at - interval '20 minutes', outcome = 'running'",
            3,
        ),
        (
            "update catalogue_sync set started_at = started_at - interval '20 minutes', outcome = 'failed'",
            3,
        ),
        (
            "update catalogue_sync set started_at = started_at - interval '50 minutes'",
            4,
        ),
    ] {
        app.database.sql(sql).await;
        round(two).await.unwrap();
        assert_eq!(count().await.len(), runs, "{sql}");
    }
    second.stop().await;
    app.stop().await;
}

#[tokio::test]
async fn a_reading_that_is_under_way_is_not_begun_again() {
    let (app, owner) = demo().await;
    let slow = std::time::Duration::from_millis(300);
    app.anam.fault(Fault::slow(FaultTarget::Catalogue, slow));
    let ask = || app.ask(Method::POST, SYNC, &owner);
    let (one, two) = tokio::join!(ask(), ask());
    let mut statuses = [one.status().as_u16(), two.status().as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    app.stop().await;
}

#[tokio::test]
async fn bundles_keep_laying_down_what_may_be_chosen() {
    let (app, owner) = demo().await;
    sync(&app, &owner).await;
    read_body(
        &app,
        Method::POST,
        &format!("{CATALOGUE}/avatar:allow"),
        &owner,
        &json!({ "ids": [ANNE] }),
    )
    .await;
    let bundle = format!(
        "tenant: demo\ncatalogue:\n  avatars:\n    - {{id: {ANNE}, name: Our Anne}}\n    - {{id: {CARA}, name: Cara}}\n"
    );
    app.apply(&bundle).await;
    assert_eq!(options(&app, "avatars").await, [ANNE, CARA]);
    // A later reading changes neither name nor choice, and what the bundle left out is still known.
    sync(&app, &owner).await;
    assert_eq!(options(&app, "avatars").await, [ANNE, CARA]);
    let avatars = every(&app, "avatar", &owner).await;
    assert_eq!(avatars.len(), 28);
    assert_eq!(
        (&avatars[0]["name"], &avatars[0]["source"]),
        (&json!("Our Anne"), &json!("typed"))
    );
    let enabled = avatars
        .iter()
        .filter(|entry| entry["enabled"] == true)
        .count();
    assert_eq!(enabled, 2);
    app.stop().await;
}

#[tokio::test]
async fn entries_are_typed_in_changed_and_forgotten_under_their_state() {
    let (app, owner) = demo().await;
    let path = format!("{CATALOGUE}/language/pt-BR%2Fx%7C1");
    let wish = json!({ "name": "Português", "attributes": { "flag": "BR" } });
    let (etag, entry) = state(app.tell(Method::PUT, &path, &owner, &wish).await, 201).await;
    assert_eq!(entry["id"], "pt-BR/x|1");
    assert_eq!(entry["usedBy"], json!({ "places": [], "users": 0 }));
    app.settle("demo").await;
    assert!(
        options(&app, "languages")
            .await
            .contains(&"pt-BR/x|1".to_owned())
    );
    let unseen = app.tell(Method::PUT, &path, &owner, &wish).await;
    problem(unseen, 428, "precondition_required").await;
    let change = json!({ "name": "Português", "enabled": false });
    let (newer, entry) = state(
        app.tell_if(Method::PUT, &path, &owner, &etag, &change)
            .await,
        200,
    )
    .await;
    assert_eq!(
        (&entry["enabled"], &entry["attributes"]),
        (&json!(false), &json!({}))
    );
    let late = app
        .tell_if(Method::DELETE, &path, &owner, &etag, &json!({}))
        .await;
    let late = problem(late, 412, "precondition_failed").await;
    assert_eq!(late["current"]["enabled"], false);
    let gone = app
        .tell_if(Method::DELETE, &path, &owner, &newer, &json!({}))
        .await;
    assert_eq!(gone.status(), 204);

    for (wish, places) in [
        (json!({}), vec!["/name"]),
        (
            json!({ "name": "", "attributes": [], "enabled": 1, "more": 1 }),
            vec!["/name", "/attributes", "/enabled", "/more"],
        ),
        (
            json!({ "name": "x", "attributes": { "a": "x".repeat(20_000) } }),
            vec!["/attributes"],
        ),
    ] {
        let refused = app.tell(Method::PUT, &path, &owner, &wish).await;
        assert_eq!(
            pointers(&problem(refused, 422, "invalid_request").await),
            places
        );
    }
    for bad in ["%00", "%FF", &"x".repeat(101)] {
        let path = format!("{CATALOGUE}/language/{bad}");
        let refused = app
            .tell(Method::PUT, &path, &owner, &json!({ "name": "x" }))
            .await;
        assert_eq!(
            refused.status(),
            if bad.starts_with('%') { 404 } else { 422 }
        );
        problem(app.ask(Method::GET, &path, &owner).await, 404, "not_found").await;
    }
    let unknown = json!({ "ids": ["en", "nobody", "de"] });
    let refused = app
        .tell(
            Method::POST,
            &format!("{CATALOGUE}/language:disallow"),
            &owner,
            &unknown,
        )
        .await;
    assert_eq!(
        pointers(&problem(refused, 422, "invalid_request").await),
        ["/ids/1"]
    );
    assert!(
        options(&app, "languages").await.contains(&"en".to_owned()),
        "nothing half done"
    );

    // What Anam lists would come back.
    sync(&app, &owner).await;
    let path = format!("{CATALOGUE}/avatar/{ANNE}");
    let (etag, _) = read(&app, &path, &owner).await;
    let refused = app
        .tell_if(Method::DELETE, &path, &owner, &etag, &json!({}))
        .await;
    problem(refused, 409, "conflict").await;
    app.stop().await;
}

#[tokio::test]
async fn each_kind_of_change_needs_its_role_and_its_own_tenant() {
    let tenants = neighbours();
    let app = serve(&[&tenants[0], &tenants[1]], TestOptions::default()).await;
    let viewer = app.admin_key("acme", Role::Viewer).await;
    let editor = app.admin_key("acme", Role::Editor).await;
    let one = format!("{CATALOGUE}/avatar/{CARA}");
    assert_eq!(app.ask(Method::GET, &one, &viewer).await.status(), 200);
    for (method, path) in [
        (Method::POST, SYNC.to_owned()),
        (Method::POST, format!("{CATALOGUE}/avatar:allow")),
        (Method::POST, format!("{CATALOGUE}/avatar:disallow")),
        (Method::PUT, one.clone()),
        (Method::DELETE, one),
    ] {
        let refused = app.tell(method, &path, &editor, &json!({})).await;
        problem(refused, 403, "forbidden").await;
    }
    app.apply("tenant: globex\ncatalogue:\n  avatars: [{id: secret-avatar, name: Secret}]")
        .await;
    let owner = app.admin_key("acme", Role::Owner).await;
    let theirs = format!("{CATALOGUE}/avatar/secret-avatar");
    let nobodys = format!("{CATALOGUE}/avatar/unknown-avatar");
    for method in [Method::GET, Method::DELETE] {
        is_nobodys(&app, method, &theirs, &nobodys, &owner).await;
    }
    for path in [
        "/v1/admin/catalogue/nothing",
        "/v1/admin/catalogue/nothing/x",
    ] {
        problem(app.ask(Method::GET, path, &owner).await, 404, "not_found").await;
    }
    app.stop().await;
}
