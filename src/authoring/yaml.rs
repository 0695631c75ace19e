//! YAML (and JSON, which YAML includes) as a JSON value that knows where each part stood.

use std::collections::BTreeMap;

use saphyr::{LoadableYamlNode, MarkedYamlOwned, ScalarOwned, Yaml, YamlDataOwned, YamlEmitter};
use saphyr_parser::{Event, Parser};
use serde_json::{Map, Number, Value};

use crate::domain::fault::{Fault, step};

/// Largest bundle, bytes.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Deepest nesting of a bundle.
const MAX_DEPTH: usize = 40;
const TOO_DEEP: &str = "nested deeper than 40 levels";

/// A text, read.
#[derive(Debug)]
pub struct Source {
    /// What it says.
    pub value: Value,
    /// Line of each RFC 6901 pointer, from 1.
    lines: BTreeMap<String, usize>,
}

impl Source {
    /// Reads one document. Anchors, tags and anything that JSON can't say are refused.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        if text.len() > MAX_BYTES {
            return Err(vec![Fault::new("", "a bundle may have 4 MB at most")]);
        }
        refuse_early(text)?;
        let documents = MarkedYamlOwned::load_from_str(text).map_err(|error| {
            vec![Fault::new(
                "",
                format!(
                    "line {}: not valid YAML or JSON: {}",
                    error.marker().line(),
                    error.info()
                ),
            )]
        })?;
        let [document] = documents.as_slice() else {
            return Err(vec![Fault::new(
                "",
                format!("must hold one document, not {}", documents.len()),
            )]);
        };
        let mut lines = BTreeMap::new();
        let value = convert(document, "", 0, &mut lines)?;
        Ok(Self { value, lines })
    }

    /// The line of the place that a pointer names, or of the nearest place around it.
    pub fn line(&self, pointer: &str) -> usize {
        let mut place = pointer;
        loop {
            if let Some(line) = self.lines.get(place) {
                return *line;
            }
            match place.rsplit_once('/') {
                Some((parent, _)) => place = parent,
                None => return 1,
            }
        }
    }
}

/// Refuses what would already harm while the text is loaded: aliases, which are written out then, each as large as what
/// it stands for, and nesting that exhausts the stack. Broken YAML is left to the loader to tell.
fn refuse_early(text: &str) -> Result<(), Vec<Fault>> {
    let mut depth = 0_usize;
    for event in Parser::new_from_str(text) {
        let Ok((event, span)) = event else {
            return Ok(());
        };
        let refuse = |message: &str| {
            let line = span.start.line();
            Err(vec![Fault::new("", format!("line {line}: {message}"))])
        };
        let anchor = match event {
            Event::Alias(anchor)
            | Event::Scalar(_, _, anchor, _)
            | Event::SequenceStart(anchor, _)
            | Event::MappingStart(anchor, _) => anchor,
            _ => 0,
        };
        match event {
            Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
            Event::SequenceEnd | Event::MappingEnd => depth = depth.saturating_sub(1),
            _ => {}
        }
        if anchor != 0 {
            return refuse("anchors and aliases are not taken: write the value out");
        }
        if depth > MAX_DEPTH {
            return refuse(TOO_DEEP);
        }
    }
    Ok(())
}

fn convert(
    node: &MarkedYamlOwned,
    at: &str,
    depth: usize,
    lines: &mut BTreeMap<String, usize>,
) -> Result<Value, Vec<Fault>> {
    let line = node.span.start.line();
    lines.entry(at.to_owned()).or_insert(line);
    let refuse = |message: &str| Err(vec![Fault::new(at, format!("line {line}: {message}"))]);
    if depth > MAX_DEPTH {
        return refuse(TOO_DEEP);
    }
    match &node.data {
        YamlDataOwned::Value(scalar) => match scalar {
            ScalarOwned::Null => Ok(Value::Null),
            ScalarOwned::Boolean(flag) => Ok(Value::Bool(*flag)),
            ScalarOwned::Integer(number) => Ok(Value::Number((*number).into())),
            ScalarOwned::FloatingPoint(number) => match Number::from_f64(number.into_inner()) {
                Some(number) => Ok(Value::Number(number)),
                None => refuse("a number must be finite"),
            },
            ScalarOwned::String(text) if text.contains('\0') => {
                refuse("a text holds the character U+0000")
            }
            ScalarOwned::String(text) => Ok(Value::String(text.clone())),
        },
        YamlDataOwned::Sequence(items) => {
            let items = items
                .iter()
                .enumerate()
                .map(|(index, item)| convert(item, &format!("{at}/{index}"), depth + 1, lines));
            Ok(Value::Array(items.collect::<Result<_, _>>()?))
        }
        YamlDataOwned::Mapping(entries) => {
            let mut members = Map::new();
            for (name, value) in entries {
                let YamlDataOwned::Value(ScalarOwned::String(text)) = &name.data else {
                    return refuse("a member's name must be a text: put it in quotes");
                };
                let place = format!("{at}{}", step(text));
                lines.insert(place.clone(), name.span.start.line());
                members.insert(text.clone(), convert(value, &place, depth + 1, lines)?);
            }
            Ok(Value::Object(members))
        }
        YamlDataOwned::Alias(_)
        | YamlDataOwned::Tagged(..)
        | YamlDataOwned::Representation(..)
        | YamlDataOwned::BadValue => refuse("tags and aliases are not taken: write the value out"),
    }
}

/// The value as YAML that [`Source::parse`] reads back.
pub fn write(value: &Value) -> String {
    let mut text = String::new();
    let mut emitter = YamlEmitter::new(&mut text);
    emitter.multiline(true);
    // Writing to a String can't fail.
    _ = emitter.dump(&to_yaml(value));
    let text = text.strip_prefix("---\n").unwrap_or(&text);
    // Not trimmed: white space at the end may belong to a text.
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{end}")
}

fn to_yaml(value: &Value) -> Yaml<'_> {
    match value {
        Value::Null => Yaml::Value(saphyr::Scalar::Null),
        Value::Bool(flag) => Yaml::Value(saphyr::Scalar::Boolean(*flag)),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Yaml::Value(saphyr::Scalar::Integer(integer)),
            None => Yaml::Value(saphyr::Scalar::FloatingPoint(
                number.as_f64().unwrap_or_default().into(),
            )),
        },
        Value::String(text) => Yaml::Value(saphyr::Scalar::String(text.as_str().into())),
        Value::Array(items) => Yaml::Sequence(items.iter().map(to_yaml).collect()),
        Value::Object(members) => Yaml::Mapping(
            members
                .iter()
                .map(|(name, value)| {
                    (
                        Yaml::Value(saphyr::Scalar::String(name.as_str().into())),
                        to_yaml(value),
                    )
                })
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_place_is_told_by_its_line() {
        let source =
            Source::parse("tenant: demo\npersonas:\n  ava:\n    avatarId: nope\n").unwrap();
        assert_eq!(source.line("/personas/ava/avatarId"), 4);
        assert_eq!(source.line("/personas/ava/voiceId"), 3);
        assert_eq!(source.line("/elsewhere"), 1);
    }

    #[test]
    fn what_json_cannot_say_is_refused() {
        for text in [
            "a: &x 1\nb: *x",
            "1: a",
            "a: .inf",
            "a: 1\na: 2",
            "a: 1\n---\nb: 2",
            "a: [",
            "a: !!binary aGk=",
            &"[".repeat(100_000),
            &format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)),
            &"a: ".repeat(100_000),
        ] {
            assert!(Source::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn aliases_that_grow_are_refused_before_they_do() {
        let mut text = "l0: &l0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let below = format!("*l{}", level - 1);
            let line = format!("l{level}: &l{level} [{}]\n", vec![below; 9].join(", "));
            text.push_str(&line);
        }
        let faults = Source::parse(&text).unwrap_err();
        assert!(
            faults[0].message.starts_with("line 1: anchors"),
            "{faults:?}"
        );
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[ -~\n\u{e4}\u{4e2d}]{0,40}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-zA-Z0-9_ :#-]{1,8}", inner, 0..4)
                    .prop_map(|members| json!(members)),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(value in values()) {
            let text = write(&value);
            let read = Source::parse(&text).map(|source| source.value);
            prop_assert_eq!(read, Ok(value), "{}", text);
        }
    }
}
