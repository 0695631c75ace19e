use super::*;
use proptest::prelude::*;
use serde_json::json;

use crate::domain::wrong::Wrong;

#[test]
fn a_place_is_told_by_its_line_and_column() {
    let source = Source::parse("tenant: demo\npersonas:\n  ava:\n    avatarId: nope\n").unwrap();
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
    let text_of = |at| source.describe(&Fault::new(at, Wrong::Text));
    assert_eq!(text_of("/a"), "1:1: /a: must be a text; put it in quotes");
    assert_eq!(text_of("/b"), "2:1: /b: must be a text");
    assert_eq!(source.value["b"], "yes");
}

#[test]
fn a_name_that_stands_twice_is_told_with_both_places() {
    for (text, text_of) in [
        (
            "a: 1\nb: 2\na: 3\n",
            "3:1: `a` is here twice, the first time at 1:1: keep one",
        ),
        (
            "l:\n- {x: {a: 1}, \"x\": 2}\n",
            "2:15: `x` is here twice, the first time at 2:4: keep one",
        ),
        (
            "{\"a\": 1, \"b\": {}, \"a\": 2}",
            "1:19: `a` is here twice, the first time at 1:2: keep one",
        ),
    ] {
        assert_eq!(Source::parse(text).unwrap_err().to_string(), text_of);
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
        ("- {{ a[\"b\"] }}\n", "1:4", "'{{ a[\"b\"] }}'"),
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
        ("- a\n\t- b: 1\n", "2:", "indent with spaces"),
    ] {
        let fault = Source::parse(text).map(|source| source.value).unwrap_err();
        let text_of = fault.to_string();
        assert!(text_of.starts_with(place), "{text:?}: {text_of}");
        assert!(text_of.contains(advice), "{text:?}: {text_of}");
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

/// Pointer and message of everything that is wrong.
fn faults_of(text: &str) -> Vec<(String, String)> {
    let (_, faults) = Source::survey(text.as_bytes());
    faults
        .into_iter()
        .map(|fault| (fault.pointer.clone(), fault.to_string()))
        .collect()
}

fn messages(text: &str) -> Vec<String> {
    faults_of(text)
        .into_iter()
        .map(|(_, message)| message)
        .collect()
}

#[test]
fn everything_that_can_not_be_read_is_told_at_once() {
    let text = "a: .inf\nb: &x 1\nc: [1, 0123]\nd: !!binary aGk=\ne: 1\ne: 2\n5: f\n[g]: h\ni: \"\\0\"\nj: 1e400\n";
    assert_eq!(
        faults_of(text),
        [
            ("/a", "1:4: a number must be finite"),
            ("/b", "2:4: anchors and aliases are not taken: write the value out; a text that begins with & must be in quotes: \"&x 1\""),
            ("/c/1", "3:8: readers differ about a number that begins with 0: put it in quotes, or write it without"),
            ("/d", "4:4: tags are not taken: write the value out; a text that begins with ! must be in quotes: \"!!binary aGk=\""),
            ("", "6:1: `e` is here twice, the first time at 5:1: keep one"),
            ("", "7:1: a member's name must be a text: put it in quotes"),
            ("", "8:1: a member's name must be a text: put it in quotes"),
            ("/i", "9:4: a text holds the character U+0000"),
            ("/j", "10:4: the number is beyond the numbers that are kept, up to 1.7e308 and 345 places: put it in quotes, as a text"),
        ]
        .map(|(pointer, message)| (pointer.to_owned(), message.to_owned()))
    );
    let (source, _) = Source::survey(text.as_bytes());
    assert_eq!(
        source.unwrap().value,
        json!({ "a": null, "b": 1, "c": [1, null], "d": "aGk=", "e": 1, "i": "\0", "j": null })
    );
}

#[test]
fn scalars_are_those_of_the_core_schema() {
    for (text, value) in [
        ("1546130668394913823", "1546130668394913823"),
        ("107123456789012345678", "107123456789012345678"),
        ("+12", "12"),
        ("0o17", "15"),
        ("0xFF", "255"),
        ("-.5", "-0.5"),
        ("1.50", "1.5"),
        ("1e3", "1000"),
        ("0.10000000000000001", "0.10000000000000001"),
        ("!!str 5", "\"5\""),
        ("!!int 5", "5"),
        ("! 5", "\"5\""),
        ("!!null ~", "null"),
        ("yes", "\"yes\""),
        ("1_000", "\"1_000\""),
        ("0b101", "\"0b101\""),
        ("1:30", "\"1:30\""),
        ("2026-11-24", "\"2026-11-24\""),
        ("0x", "\"0x\""),
        ("1e", "\"1e\""),
        (".", "\".\""),
        ("1.2.3", "\"1.2.3\""),
        ("\"5\"", "\"5\""),
    ] {
        let read = Source::parse(&format!("a: {text}"));
        assert_eq!(read.unwrap().value["a"].to_string(), value, "{text}");
    }
}

#[test]
fn json_is_read_as_json() {
    let read = |text: &str| Source::parse(text).map(|source| source.value);
    assert_eq!(
        read(r#"{"a": "\ud83d\ude00 \/", "b": "\u2028"}"#),
        Ok(json!({ "a": "\u{1f600} /", "b": "\u{2028}" }))
    );
    assert_eq!(read("\u{feff} {\"a\":\t[1]}\r\n"), Ok(json!({ "a": [1] })));
    assert_eq!(
        faults_of("{\n \"a\": \"\\ud83d\",\n \"b\": 1e999,\n \"a\": 2}"),
        [
            ("/a".to_owned(), "2:8: \\ud83d is half of a surrogate pair without its other half".to_owned()),
            ("/b".to_owned(), "3:7: the number is beyond the numbers that are kept, up to 1.7e308 and 345 places: put it in quotes, as a text".to_owned()),
            (String::new(), "4:2: `a` is here twice, the first time at 2:2: keep one".to_owned()),
        ]
    );
    assert_eq!(
        messages("{\"a\": 1,}"),
        Vec::<String>::new(),
        "YAML has commas at the end"
    );
    assert_eq!(
        messages("{\"a\": 1 \"b\": 2}"),
        ["1:9: not valid JSON: a comma or `}` is missing"]
    );
    let source = Source::parse("{\n\"a\":\n{\"b\": [1,\n2]}}").unwrap();
    assert_eq!(source.place("/a/b/1").to_string(), "4:1");
    assert_eq!(source.place("/a/b").to_string(), "3:2");
    assert_eq!(source.place("/a").to_string(), "2:1");
    assert_eq!(read("{tenant: demo}"), Ok(json!({ "tenant": "demo" })));
}

#[test]
fn spaces_that_are_none_are_named_with_their_place() {
    for (text, expected) in [
        (
            "tenant:\u{a0}demo\n",
            "1:1: U+00A0 NO-BREAK SPACE is where a plain space should be: write one, or put the text in quotes",
        ),
        ("a:\n\tb: 1\n", "indent with spaces: YAML takes no tabs"),
        ("a:\n\t- b: 1\n", "indent with spaces: YAML takes no tabs"),
        (
            "a:\n  - b: 1\n\t- b: 2\n",
            "indent with spaces: YAML takes no tabs",
        ),
        (
            "a:\n  b: 1\n\u{a0} c: 2\n",
            "3:1: the name of this member holds U+00A0 NO-BREAK SPACE: write plain spaces",
        ),
        (
            "a:\n  \u{200b}b: 1\n",
            "2:3: the name of this member holds U+200B ZERO WIDTH SPACE: write plain spaces",
        ),
        (
            "a:\n  -\u{3000}b\n",
            "2:3: U+3000 IDEOGRAPHIC SPACE is where a plain space should be: write one, or put the text in quotes",
        ),
        (
            "{\"a\":\u{a0}1}",
            "1:6: not valid JSON: U+00A0 NO-BREAK SPACE is here: write a plain space, or nothing",
        ),
    ] {
        assert!(
            messages(text)
                .iter()
                .any(|message| message.contains(expected)),
            "{text:?}: {:?}",
            messages(text)
        );
    }
    for text in [
        "a: 10\u{a0}km\n",
        "a:\n  -\tb: 1\n    c: 2\n",
        "a: \u{645}\u{6cc}\u{200c}\u{62e}\u{648}\n",
        "\u{645}\u{6cc}\u{200c}\u{62e}: x\n",
        "a: |\n  \tx\n  \u{a0}y\n",
        "a: '\u{a0}'\n",
    ] {
        assert_eq!(messages(text), Vec::<String>::new(), "{text:?}");
    }
}

#[test]
fn line_breaks_of_windows_are_line_breaks() {
    let unix = "a: |\n  one\n\n  two\nb: x\n";
    let windows = unix.replace('\n', "\r\n");
    let read = |text: &str| Source::read(text.as_bytes()).unwrap().value;
    assert_eq!(read(&windows), read(unix));
    assert_eq!(read(&windows)["a"], "one\n\ntwo\n");
}
