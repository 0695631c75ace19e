//! YAML (and JSON, which YAML includes) as a JSON value that knows where each part stood.

mod advice;
mod place;

use std::collections::{BTreeMap, HashMap};

use saphyr::{LoadableYamlNode, MarkedYamlOwned, ScalarOwned, Yaml, YamlDataOwned, YamlEmitter};
use saphyr_parser::{Event, Marker, Parser};
use serde_json::{Map, Number, Value};

use self::advice::advice;
pub use self::place::{Place, Unreadable};
use crate::domain::fault::{Fault, step};

/// Largest bundle, bytes.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Deepest nesting of a bundle.
const MAX_DEPTH: usize = 40;
const TOO_DEEP: &str = "nested deeper than 40 levels";
const NO_ANCHORS: &str = "anchors and aliases are not taken: write the value out";
const NO_TAGS: &str = "tags are not taken: write the value out";

/// A text, read.
#[derive(Debug)]
pub struct Source {
    /// What it says.
    pub value: Value,
    /// Where each RFC 6901 pointer stands.
    places: BTreeMap<String, Place>,
}

impl Source {
    /// Reads one document. Anchors, tags and anything that JSON can't say are refused.
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
        if text.len() > MAX_BYTES {
            return refuse(Place::START, "a bundle may have 4 MB at most");
        }
        refuse_early(text)?;
        Self::read(text).map_err(|fault| advised(text, fault))
    }

    fn read(text: &str) -> Result<Self, Unreadable> {
        let documents = MarkedYamlOwned::load_from_str(text).map_err(|error| Unreadable {
            place: (*error.marker()).into(),
            message: format!("not valid YAML or JSON: {}", error.info()),
        })?;
        let [document] = documents.as_slice() else {
            let place = documents
                .get(1)
                .map_or(Place::START, |second| second.span.start.into());
            let number = documents.len();
            return refuse(place, &format!("must hold one document, not {number}"));
        };
        let mut places = BTreeMap::new();
        let value = convert(document, "", 0, &mut places)?;
        Ok(Self { value, places })
    }

    /// Where a pointer points, or the nearest place around it.
    pub fn place(&self, pointer: &str) -> Place {
        let mut at = pointer;
        loop {
            if let Some(place) = self.places.get(at) {
                return *place;
            }
            match at.rsplit_once('/') {
                Some((parent, _)) => at = parent,
                None => return Place::START,
            }
        }
    }

    /// A fault as people read it, `line:column: what`; with advice where a text is wanted and YAML read something else.
    pub fn tell(&self, fault: &Fault) -> String {
        let place = self.place(&fault.pointer);
        let wants_text = ["must be a text", "expected a string"]
            .iter()
            .any(|words| fault.message.contains(words));
        let value = self.value.pointer(&fault.pointer);
        match value {
            Some(Value::Number(_) | Value::Bool(_) | Value::Null) if wants_text => {
                format!("{place}: {fault}; put it in quotes")
            }
            _ => format!("{place}: {fault}"),
        }
    }
}

impl From<Marker> for Place {
    fn from(marker: Marker) -> Self {
        Self {
            line: marker.line().max(1),
            column: marker.col().saturating_add(1),
        }
    }
}

fn refuse<T>(place: Place, message: &str) -> Result<T, Unreadable> {
    Err(Unreadable {
        place,
        message: message.to_owned(),
    })
}

/// Behind what the reader says stands what people usually meant.
fn advised(text: &str, mut fault: Unreadable) -> Unreadable {
    if let Some(advice) = advice(text, fault.place) {
        fault.message = format!("{}; {advice}", fault.message);
    }
    fault
}

/// What is open while a text is gone through.
enum Open {
    List,
    /// Its names so far, and whether a name comes next.
    Map(HashMap<String, Place>, bool),
}

/// Refuses what would already harm while the text is loaded: aliases, which are written out then, each as large as what
/// it stands for, and nesting that exhausts the stack. A name that stands twice is found here too, where it can be said which.
/// Broken YAML is left to the loader to tell.
fn refuse_early(text: &str) -> Result<(), Unreadable> {
    let mut open = Vec::new();
    for event in Parser::new_from_str(text) {
        let Ok((event, span)) = event else {
            return Ok(());
        };
        let place = Place::from(span.start);
        let anchor = match &event {
            Event::Alias(anchor)
            | Event::Scalar(_, _, anchor, _)
            | Event::SequenceStart(anchor, _)
            | Event::MappingStart(anchor, _) => *anchor,
            _ => 0,
        };
        if anchor != 0 {
            return refuse(place, NO_ANCHORS).map_err(|fault| advised(text, fault));
        }
        match event {
            Event::Scalar(name, ..) => note(&mut open, Some((name.into_owned(), place)))?,
            Event::SequenceStart(..) => {
                note(&mut open, None)?;
                open.push(Open::List);
            }
            Event::MappingStart(..) => {
                note(&mut open, None)?;
                open.push(Open::Map(HashMap::new(), true));
            }
            Event::SequenceEnd | Event::MappingEnd => {
                open.pop();
            }
            _ => {}
        }
        if open.len() > MAX_DEPTH {
            return refuse(place, TOO_DEEP);
        }
    }
    Ok(())
}

/// Something stands in what is open: in a map by turns a name and its value.
fn note(open: &mut [Open], scalar: Option<(String, Place)>) -> Result<(), Unreadable> {
    let Some(Open::Map(names, is_name)) = open.last_mut() else {
        return Ok(());
    };
    if *is_name
        && let Some((name, place)) = scalar
        && let Some(first) = names.insert(name.clone(), place)
    {
        let message = format!("`{name}` stands here twice, the first time at {first}: keep one");
        return refuse(place, &message);
    }
    *is_name = !*is_name;
    Ok(())
}

fn convert(
    node: &MarkedYamlOwned,
    at: &str,
    depth: usize,
    places: &mut BTreeMap<String, Place>,
) -> Result<Value, Unreadable> {
    let place = Place::from(node.span.start);
    places.entry(at.to_owned()).or_insert(place);
    if depth > MAX_DEPTH {
        return refuse(place, TOO_DEEP);
    }
    match &node.data {
        YamlDataOwned::Value(scalar) => match scalar {
            ScalarOwned::Null => Ok(Value::Null),
            ScalarOwned::Boolean(flag) => Ok(Value::Bool(*flag)),
            ScalarOwned::Integer(number) => Ok(Value::Number((*number).into())),
            ScalarOwned::FloatingPoint(number) => match Number::from_f64(number.into_inner()) {
                Some(number) => Ok(Value::Number(number)),
                None => refuse(place, "a number must be finite"),
            },
            ScalarOwned::String(text) if text.contains('\0') => {
                refuse(place, "a text holds the character U+0000")
            }
            ScalarOwned::String(text) => Ok(Value::String(text.clone())),
        },
        YamlDataOwned::Sequence(items) => {
            let items = items
                .iter()
                .enumerate()
                .map(|(index, item)| convert(item, &format!("{at}/{index}"), depth + 1, places));
            Ok(Value::Array(items.collect::<Result<_, _>>()?))
        }
        YamlDataOwned::Mapping(entries) => {
            let mut members = Map::new();
            for (name, value) in entries {
                let YamlDataOwned::Value(ScalarOwned::String(text)) = &name.data else {
                    let place = Place::from(name.span.start);
                    return refuse(place, "a member's name must be a text: put it in quotes");
                };
                let here = format!("{at}{}", step(text));
                places.insert(here.clone(), name.span.start.into());
                members.insert(text.clone(), convert(value, &here, depth + 1, places)?);
            }
            Ok(Value::Object(members))
        }
        YamlDataOwned::Alias(_) => refuse(place, NO_ANCHORS),
        YamlDataOwned::Tagged(..) | YamlDataOwned::Representation(..) | YamlDataOwned::BadValue => {
            refuse(place, NO_TAGS)
        }
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
    fn a_place_is_told_by_its_line_and_column() {
        let source =
            Source::parse("tenant: demo\npersonas:\n  ava:\n    avatarId: nope\n").unwrap();
        let place = |pointer| source.place(pointer).to_string();
        assert_eq!(place("/personas/ava/avatarId"), "4:5");
        assert_eq!(place("/personas/ava/voiceId"), "3:3");
        assert_eq!(place("/elsewhere"), "1:1");
        let source = Source::parse("a: [é, {b: 1}]").unwrap();
        assert_eq!(source.place("/a/1/b").to_string(), "1:9");
    }

    #[test]
    fn where_a_text_is_wanted_a_number_is_advised_quotes() {
        let source = Source::parse("a: 42\nb: yes\nc: \"42\"\n").unwrap();
        let told = |at| source.tell(&Fault::new(at, "must be a text"));
        assert_eq!(told("/a"), "1:1: /a: must be a text; put it in quotes");
        assert_eq!(told("/b"), "2:1: /b: must be a text");
        assert_eq!(source.value["b"], "yes");
    }

    #[test]
    fn a_name_that_stands_twice_is_told_with_both_places() {
        for (text, told) in [
            (
                "a: 1\nb: 2\na: 3\n",
                "3:1: `a` stands here twice, the first time at 1:1: keep one",
            ),
            (
                "l:\n- {x: {a: 1}, \"x\": 2}\n",
                "2:15: `x` stands here twice, the first time at 2:4: keep one",
            ),
            (
                "{\"a\": 1, \"b\": {}, \"a\": 2}",
                "1:19: `a` stands here twice, the first time at 1:2: keep one",
            ),
        ] {
            assert_eq!(Source::parse(text).unwrap_err().to_string(), told);
        }
        // The same name in another map, or as a value, is another.
        Source::parse("a: {a: a}\nb: {a: [a, a]}\n").unwrap();
    }

    #[test]
    fn what_people_stumble_on_is_told_with_what_to_write() {
        for (text, place, advice) in [
            ("greeting: {{ user.name }}\n", "1:12", "\"{{ user.name }}\""),
            (
                "a: 1\ngreeting: {{ user.name }}, hello\n",
                "2:",
                "\"{{ user.name }}, hello\"",
            ),
            ("- {{ a[\"b\"] }}\n", "1:7", "'{{ a[\"b\"] }}'"),
            (
                "p: {% if a %}x{% endif %}\n",
                "1:",
                "\"{% if a %}x{% endif %}\"",
            ),
            (
                "p: {name: {{ user.name }}, b: 1}\n",
                "1:",
                "must be in quotes",
            ),
            ("text: Note: be kind\n", "1:", "\"Note: be kind\""),
            ("text: Say this:\n", "1:", "\"Say this:\""),
            ("t: @mia\n", "1:4", "\"@mia\""),
            ("t: `code`\n", "1:4", "\"`code`\""),
            ("t: %d items\n", "1:4", "\"%d items\""),
            ("t: *important*\n", "1:4", "\"*important*\""),
            ("t: &co\n", "1:", "\"&co\""),
            ("t: !important\n", "1:", "\"!important\""),
            (
                "t: \"Mia\" the guide\n",
                "1:",
                "put the whole of it in quotes",
            ),
            ("a:\n\tb: 1\n", "2:", "indent with spaces"),
        ] {
            let fault = Source::parse(text).map(|source| source.value).unwrap_err();
            let told = fault.to_string();
            assert!(told.starts_with(place), "{text:?}: {told}");
            assert!(told.contains(advice), "{text:?}: {told}");
        }
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
        let fault = Source::parse(&text).unwrap_err();
        assert!(fault.to_string().starts_with("1:5: anchors"), "{fault}");
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
