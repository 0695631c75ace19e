//! Every limit of the schema is the parser's: on the limit both take a value, beyond it neither does.

use serde_json::{Map, Value, json};

use super::judges::{fits, full, reads};
use super::mutants::places;

/// The parts of the schema that speak about a place of a bundle which fits.
fn parts_for<'a>(
    root: &'a Value,
    schema: &'a Value,
    value: &Value,
    path: &[&str],
) -> Vec<&'a Value> {
    let mut found = Vec::new();
    let alternatives = ["oneOf", "allOf"];
    let resolved = schema["$ref"]
        .as_str()
        .and_then(|target| root.pointer(target.strip_prefix('#')?));
    let same_place: Vec<&Value> = resolved
        .into_iter()
        .chain(
            alternatives
                .iter()
                .filter_map(|name| schema[*name].as_array())
                .flatten()
                .filter(|form| accepts(root, form, value)),
        )
        .collect();
    for part in same_place {
        found.extend(parts_for(root, part, value, path));
    }
    match path.split_first() {
        None => found.push(schema),
        Some((first, rest)) => {
            let name = first.replace("~1", "/").replace("~0", "~");
            let inner = match value {
                Value::Object(_) => schema["properties"].get(&name).or_else(|| {
                    schema
                        .get("additionalProperties")
                        .filter(|rest| rest.is_object())
                }),
                _ => schema.get("items"),
            };
            let next = value.pointer(&format!("/{first}"));
            if let (Some(inner), Some(next)) = (inner, next) {
                found.extend(parts_for(root, inner, next, rest));
            }
        }
    }
    found
}

fn accepts(root: &Value, form: &Value, value: &Value) -> bool {
    let mut alone: Map<String, Value> = form.as_object().cloned().unwrap_or_default();
    alone.insert("$defs".into(), root["$defs"].clone());
    jsonschema::draft202012::new(&Value::Object(alone))
        .unwrap()
        .is_valid(value)
}

/// A text of this many characters that is as good as `like` otherwise.
fn stretched(like: &str, chars: usize) -> String {
    let filler = like
        .chars()
        .rfind(char::is_ascii_alphanumeric)
        .unwrap_or('x');
    let mut text: String = like.chars().take(chars).collect();
    while text.chars().count() < chars {
        text.push(filler);
    }
    text
}

/// A list of this many items like those of `like`, all different where they are texts or have names.
fn grown(like: &[Value], items: usize) -> Value {
    let item = |at: usize| match like.get(at).or(like.first()) {
        Some(Value::String(text)) if at >= like.len() => json!(format!("{text}{at}")),
        Some(value) => {
            let mut copy = value.clone();
            if let Some(Value::String(name)) = copy.get_mut("name") {
                name.push_str(&at.to_string());
            }
            copy
        }
        None => json!({}),
    };
    (0..items).map(item).collect()
}

/// Values on the limits that a part of the schema names, and beyond them.
fn candidates(part: &Value, value: &Value) -> (Vec<Value>, Vec<Value>) {
    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    let number = |name: &str| part[name].as_f64();
    let count = |name: &str| part[name].as_u64().and_then(|n| usize::try_from(n).ok());
    let whole = part["type"] == "integer";
    let as_value = |n: f64| {
        if whole {
            json!(n.to_string().parse::<i64>().unwrap())
        } else {
            json!(n)
        }
    };
    if value.is_number() {
        if let Some(least) = number("minimum") {
            inside.push(as_value(least));
            outside.push(as_value(if whole { least - 1.0 } else { least - 0.01 }));
        }
        if let Some(most) = number("maximum") {
            inside.push(as_value(most));
            outside.push(as_value(if whole { most + 1.0 } else { most + 0.01 }));
        }
    }
    if let Some(text) = value.as_str() {
        if let Some(least) = count("minLength").filter(|least| *least > 0) {
            outside.push(json!(stretched(text, least - 1)));
        }
        if let Some(most) = count("maxLength") {
            inside.push(json!(stretched(text, most)));
            outside.push(json!(stretched(text, most + 1)));
        }
    }
    if let Some(items) = value.as_array() {
        if let Some(least) = count("minItems").filter(|least| *least > 0) {
            inside.push(grown(items, least));
            outside.push(grown(items, least - 1));
        }
        if let Some(most) = count("maxItems").filter(|most| *most > 0) {
            inside.push(grown(items, most));
            outside.push(grown(items, most + 1));
        }
    }
    if let (Some(members), Some(most)) = (value.as_object(), count("maxProperties")) {
        let first = members.values().next().cloned().unwrap_or_default();
        let slash = if members.keys().any(|name| name.starts_with('/')) {
            "/"
        } else {
            ""
        };
        let of = |n: usize| -> Value {
            let members = (0..n).map(|at| (format!("{slash}n{at}"), first.clone()));
            Value::Object(members.collect())
        };
        inside.push(of(most));
        outside.push(of(most + 1));
    }
    for allowed in part["enum"].as_array().into_iter().flatten() {
        inside.push(allowed.clone());
    }
    (inside, outside)
}

/// Where a value on its own limit does not fit what stands beside it.
fn depends_on_its_neighbours(place: &str) -> bool {
    [
        "/videoWidth",
        "/videoHeight",
        "/avatarModel",
        "/voiceGenerationOptions/speed",
        "/operator",
        "/algorithms/0",
        "/algorithms/1",
        "/aliases",
        "/weight",
        "/when/3/attribute",
        "/as",
        "/when/6/values",
        "/when/7/attribute",
        "/when/7/values",
        "/when/8/attribute",
        "/when/8/values",
        "/jwksUrl",
    ]
    .iter()
    .any(|end| place.ends_with(end))
}

#[test]
fn every_limit_of_the_schema_is_the_parsers_own() {
    let full = full();
    let schema = persona_gateway::authoring::schema::schema();
    let mut wrong = Vec::new();
    let mut limits = 0;
    for place in places(&full).into_iter().skip(1) {
        let path: Vec<&str> = place.split('/').skip(1).collect();
        let value = full.pointer(&place).unwrap();
        for part in parts_for(&schema, &schema, &full, &path) {
            let (inside, outside) = candidates(part, value);
            for (wanted, candidates) in [(true, inside), (false, outside)] {
                for candidate in candidates {
                    let mut bundle = full.clone();
                    *bundle.pointer_mut(&place).unwrap() = candidate.clone();
                    limits += 1;
                    let (fits, reads) = (fits(&bundle), reads(&bundle));
                    let as_wanted = fits == wanted || depends_on_its_neighbours(&place);
                    if fits != reads || !as_wanted {
                        let told: String = candidate.to_string().chars().take(60).collect();
                        wrong.push(format!("{place} = {told}: the schema {fits}, the parser {reads}, wanted {wanted}"));
                    }
                }
            }
        }
    }
    assert!(limits > 200, "{limits} limits");
    assert!(
        wrong.is_empty(),
        "{} of {limits}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
