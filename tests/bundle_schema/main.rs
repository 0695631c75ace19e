//! The schema of bundles and the parser say the same, as far as a schema can say it.

#[cfg(test)]
mod bundles;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod mutants;
#[cfg(test)]
mod refusals;

#[cfg(test)]
mod judges {
    use std::sync::LazyLock;

    use jsonschema::Validator;
    use persona_gateway::authoring::bundle::Bundle;
    use persona_gateway::authoring::schema::schema;
    use persona_gateway::authoring::yaml::Source;
    use serde_json::Value;

    static VALIDATOR: LazyLock<Validator> =
        LazyLock::new(|| jsonschema::draft202012::new(&schema()).expect("a good schema"));

    /// What the schema has against a bundle.
    pub(crate) fn against(bundle: &Value) -> Vec<String> {
        let errors = VALIDATOR.iter_errors(bundle);
        errors
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect()
    }

    pub(crate) fn fits(bundle: &Value) -> bool {
        VALIDATOR.is_valid(bundle)
    }

    pub(crate) fn reads(bundle: &Value) -> bool {
        Bundle::parse(bundle).is_ok()
    }

    /// The JSON value of a YAML text.
    pub(crate) fn yaml(text: &str) -> Value {
        Source::parse(text)
            .unwrap_or_else(|faults| panic!("{faults:?}: {text}"))
            .value
    }

    /// A bundle that says everything which can be said; of settings that its file does not have yet, what the schema says.
    pub(crate) fn full() -> Value {
        let mut bundle = yaml(include_str!("full.yaml"));
        let definitions = schema()["$defs"].take();
        for (place, group) in [
            ("", "settings"),
            ("/voiceDetectionOptions", "voiceDetectionOptions"),
            ("/sessionOptions", "sessionOptions"),
        ] {
            let guide = bundle
                .pointer_mut(&format!("/personas/guide{place}"))
                .unwrap();
            let guide = guide.as_object_mut().unwrap();
            for (name, form) in definitions[group]["properties"].as_object().unwrap() {
                guide.entry(name.as_str()).or_insert_with(|| sample(form));
            }
        }
        bundle
    }

    /// A value that fits a schema.
    fn sample(form: &Value) -> Value {
        let one_of = |keyword: &str| form[keyword].as_array().map(|values| values[0].clone());
        let said = one_of("examples")
            .or(one_of("enum"))
            .or(form.get("minimum").cloned());
        said.unwrap_or_else(|| match form["type"].as_str().unwrap() {
            "boolean" => Value::Bool(true),
            "string" => Value::from("x"),
            other => panic!("say {form} in full.yaml: {other}"),
        })
    }
}
