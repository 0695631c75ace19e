//! Files in the repository that the program could write itself: they must be what it would write.

#[cfg(test)]
mod generated {
    use persona_gateway::api::openapi::document;

    #[test]
    fn the_openapi_document_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == document(),
            "run `cargo run -- openapi > docs/openapi.json`"
        );
    }

    #[test]
    fn the_schema_of_bundles_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/bundle.schema.json");
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == persona_gateway::authoring::schema::document(),
            "run `cargo run -- schema > docs/bundle.schema.json`"
        );
    }

    #[test]
    fn the_openapi_document_says_3_1_and_names_every_operation_once() {
        let document: serde_json::Value = serde_json::from_str(&document()).unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        let mut ids = Vec::new();
        for path in document["paths"].as_object().unwrap().values() {
            for operation in path.as_object().unwrap().values() {
                ids.push(operation["operationId"].as_str().unwrap().to_owned());
            }
        }
        let mut unique = ids.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), ids.len(), "{ids:?}");
        assert!(ids.len() > 25, "{ids:?}");
    }
}
