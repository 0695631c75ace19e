//! JSON merge patches (RFC 7396): what somebody wants to change of an object, and nothing else of it.

use serde_json::{Map, Value};

/// The target after the patch: objects are merged, null takes a member away, and everything else is put in its place.
pub fn merged(target: &Map<String, Value>, patch: Map<String, Value>) -> Map<String, Value> {
    let mut merged = target.clone();
    for (name, value) in patch {
        match (merged.get_mut(&name), value) {
            (_, Value::Null) => {
                merged.remove(&name);
            }
            (Some(Value::Object(below)), Value::Object(patch)) => {
                *below = self::merged(below, patch);
            }
            (_, Value::Object(patch)) => {
                merged.insert(name, Value::Object(self::merged(&Map::new(), patch)));
            }
            (_, value) => {
                merged.insert(name, value);
            }
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_merge_patch_works_as_the_rfc_shows() {
        // RFC 7396, appendix A.
        for (target, patch, result) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (
                json!({"a":"b","b":"c"}),
                json!({"a":null}),
                json!({"b":"c"}),
            ),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (
                json!({"a":{"b":"c"}}),
                json!({"a":{"b":"d","c":null}}),
                json!({"a":{"b":"d"}}),
            ),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (
                json!({}),
                json!({"a":{"bb":{"ccc":null}}}),
                json!({"a":{"bb":{}}}),
            ),
        ] {
            let of = |value: &Value| value.as_object().unwrap().clone();
            assert_eq!(
                Value::Object(merged(&of(&target), of(&patch))),
                result,
                "{patch}"
            );
        }
    }
}
