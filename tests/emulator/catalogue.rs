//! The lists: pages, filters, single rows.

use std::collections::BTreeSet;

use crate::driver::Driver;

#[tokio::test]
async fn pages_cover_every_avatar_once() {
    let driver = Driver::strict();
    let first = driver.get("/v1/avatars").await.body;
    let meta = &first["meta"];
    assert_eq!(meta["perPage"], 10);
    assert_eq!(meta["currentPage"], 1);
    assert!(meta["prev"].is_null());
    assert_eq!(meta["next"], 2);
    let last = meta["lastPage"].as_u64().unwrap();
    assert!(last >= 3, "{meta}");
    let mut ids = BTreeSet::new();
    for page in 1..=last {
        let body = driver.get(&format!("/v1/avatars?page={page}")).await.body;
        assert_eq!(body["meta"]["currentPage"], page);
        assert_eq!(body["meta"]["next"].is_null(), page == last);
        for row in body["data"].as_array().unwrap() {
            assert!(
                ids.insert(row["id"].as_str().unwrap().to_owned()),
                "twice: {row}"
            );
        }
    }
    assert_eq!(ids.len() as u64, meta["total"].as_u64().unwrap());
    assert!(ids.len() >= 25);
    assert!(ids.contains("071b0286-4cce-4808-bee2-e642f1062de3"));
    let all = driver.get("/v1/avatars?perPage=100").await.body;
    assert_eq!(all["data"].as_array().unwrap().len(), ids.len());
    assert_eq!(all["meta"]["lastPage"], 1);
}

#[tokio::test]
async fn page_numbers_out_of_range_are_refused() {
    let driver = Driver::strict();
    for query in ["page=0", "perPage=0", "perPage=101", "page=x", "limit=5"] {
        let answer = driver.get(&format!("/v1/voices?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
    }
    assert_eq!(Driver::lax().get("/v1/voices?limit=5").await.status, 200);
}

#[tokio::test]
async fn a_page_beyond_the_last_is_empty() {
    let driver = Driver::strict();
    let body = driver.get("/v1/llms?page=99").await.body;
    assert_eq!(body["data"].as_array().unwrap().len(), 0);
    assert_eq!(body["meta"]["prev"], 98);
}

#[tokio::test]
async fn a_search_looks_at_names_in_any_case() {
    let driver = Driver::strict();
    let body = driver.get("/v1/avatars?search=liv").await.body;
    assert_eq!(body["data"][0]["displayName"], "Liv");
    let body = driver.get("/v1/voices?search=LUCY").await.body;
    assert_eq!(
        body["data"][0]["id"],
        "de23e340-1416-4dd8-977d-065a7ca11697"
    );
    assert_eq!(driver.get("/v1/avatars?search=nobody").await.status, 404);
    assert_eq!(
        driver.get("/v1/voices?search=nobody").await.body["meta"]["total"],
        0
    );
}

#[tokio::test]
async fn the_stock_has_what_the_gateway_must_tell_apart() {
    let driver = Driver::strict();
    let avatars = driver.get("/v1/avatars?perPage=100").await.body;
    let avatars = avatars["data"].as_array().unwrap();
    let versions = |row: &serde_json::Value| row["availableVersions"].to_string();
    assert!(avatars.iter().any(|row| versions(row) == r#"["cara-3"]"#));
    assert!(avatars.iter().any(|row| versions(row).contains("cara-4")));
    assert!(
        avatars
            .iter()
            .any(|row| row["portraitImageUrl"].is_string())
    );
    let voices = driver.get("/v1/voices?perPage=100").await.body;
    let providers: BTreeSet<_> = voices["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["provider"].as_str().unwrap())
        .collect();
    let all = [
        "CARTESIA",
        "ELEVENLABS",
        "FISH_AUDIO",
        "OPENAI_ADVANCED_VOICE",
    ];
    assert_eq!(providers, BTreeSet::from(all));
    let llms = driver.get("/v1/llms").await.body;
    assert_eq!(llms["data"][0]["displayName"], "GPT-4o");
    assert_eq!(
        driver.get("/v1/llms?includeDefaults=false").await.body["meta"]["total"],
        0
    );
}

#[tokio::test]
async fn a_row_is_found_by_its_id() {
    let driver = Driver::strict();
    for kind in ["avatars", "voices", "llms", "tools", "personas"] {
        let list = driver.get(&format!("/v1/{kind}")).await.body;
        let row = &list["data"][0];
        let id = row["id"].as_str().unwrap();
        assert_eq!(
            &driver.get(&format!("/v1/{kind}/{id}")).await.body,
            row,
            "{kind}"
        );
        let stranger = format!("/v1/{kind}/0199aa00-0000-7000-8000-000000000009");
        assert_eq!(driver.get(&stranger).await.status, 404, "{kind}");
        assert_eq!(
            driver.get(&format!("/v1/{kind}/nonsense")).await.status,
            400,
            "{kind}"
        );
    }
}

#[tokio::test]
async fn made_up_ids_are_the_same_in_every_run() {
    let (one, two) = (Driver::strict(), Driver::strict());
    let list = "/v1/avatars?perPage=100";
    assert_eq!(one.get(list).await.body, two.get(list).await.body);
}
