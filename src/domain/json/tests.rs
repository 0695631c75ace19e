use proptest::prelude::*;
use serde_json::json;

use super::*;

fn place(line: usize, column: usize, pointer: &str) -> Position {
    Position {
        line,
        column,
        pointer: pointer.to_owned(),
    }
}

fn fault_lines(text: &str) -> String {
    parse(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn a_member_that_stands_twice_is_refused_also_when_escaped() {
    let fault = parse(br#"{"a":{"b":1,"\u0062":2}}"#);
    assert_eq!(
        fault,
        Err(JsonFault::Duplicate {
            name: "b".into(),
            place: place(1, 13, "/a"),
        })
    );
}

#[test]
fn thirty_two_levels_pass_and_one_more_does_not() {
    let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
    for levels in [MAX_DEPTH + 1, 100_000] {
        assert_eq!(
            parse(nested(levels).as_bytes()),
            Err(JsonFault::TooDeep { levels: 32 })
        );
    }
}

#[test]
fn broken_json_is_told_by_place_and_remedy() {
    for (text, message) in [
        ("{\n  \"a\": ,\n}", "line 2, column 8: a value is missing"),
        ("{} {}", "line 1, column 4: nothing may follow the value"),
        (
            "",
            "line 1, column 1: the text ends where a value is missing",
        ),
        ("{\"a\":1", "line 1, column 7: a comma or `}` is missing"),
        ("[1,]", "line 1, column 4: no comma may follow the last one"),
        (
            "{\"a\":1,}",
            "line 1, column 8: no comma may follow the last one",
        ),
        (
            "{'a':1}",
            "line 1, column 2: a member's name is written in straight double quotes",
        ),
        (
            "{\"a\":\u{201c}x\u{201d}}",
            "line 1, column 6: texts are written in straight double quotes",
        ),
        (
            "{\"a\":\u{a0}1}",
            "line 1, column 6: U+00A0 NO-BREAK SPACE is here: write a plain space, or nothing",
        ),
        (
            "\u{feff}{}",
            "line 1, column 1: U+FEFF BYTE ORDER MARK (ZERO WIDTH NO-BREAK SPACE) is here: write a plain space, or nothing",
        ),
        ("[NaN]", "line 1, column 2: a number must be finite"),
        ("[True]", "line 1, column 2: write true, false or null"),
        (
            "[+1]",
            "line 1, column 2: a number is written like -12, 0.5 or 1e3",
        ),
        (
            "[01]",
            "line 1, column 2: a number is written like -12, 0.5 or 1e3",
        ),
        ("// hello\n{}", "line 1, column 1: JSON has no comments"),
        (
            "[\"a\tb\"]",
            "line 1, column 4: line breaks, tabs and other control characters are written in a text as \\n, \\t or \\u0000",
        ),
        (
            r#"["C:\qew"]"#,
            "line 1, column 5: a backslash is written \\\\; only \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u0000 are escapes",
        ),
        (
            r#"["\u12g4"]"#,
            "line 1, column 3: four hexadecimal digits must follow \\u",
        ),
        ("[\"a]", "line 1, column 2: this text has no closing quote"),
    ] {
        assert_eq!(
            fault_lines(text),
            format!("not valid JSON: {message}"),
            "{text}"
        );
    }
    assert_eq!(parse(b"[\"\xff\"]"), Err(JsonFault::Encoding { at: 3 }));
    for utf16 in [&b"\xff\xfe{\0}\0"[..], b"{\0}\0", b"\0{\0}"] {
        assert_eq!(parse(utf16), Err(JsonFault::Utf16));
    }
}

#[test]
fn numbers_are_kept_as_they_are() {
    for (written, kept) in [
        ("1546130668394913823", "1546130668394913823"),
        ("107123456789012345678", "107123456789012345678"),
        ("0.10000000000000001", "0.10000000000000001"),
        ("1.50", "1.5"),
        ("1e2", "100"),
        ("-0.0", "0"),
        ("12345678901234567.89", "12345678901234567.89"),
    ] {
        assert_eq!(parse(written.as_bytes()).unwrap().to_string(), kept);
    }
}

#[test]
fn a_number_that_would_be_rounded_is_refused_with_its_place() {
    let digits = "1".repeat(39);
    assert_eq!(
        parse(format!("{{\"a\":[1,\n{digits}]}}").as_bytes()),
        Err(JsonFault::Number {
            place: place(2, 1, "/a/1"),
            why: NotDecimal::Digits,
        })
    );
    assert_eq!(
        fault_lines("[1e400]"),
        "line 1, column 2: the number is beyond the numbers that are kept, up to 1.7e308 and 345 places: put it in quotes, as a text"
    );
}

#[test]
fn a_name_that_a_library_takes_for_a_number_is_refused() {
    let text = br#"{"$serde_json::private::Number":"1"}"#;
    assert!(matches!(parse(text), Err(JsonFault::Reserved { .. })));
    assert_eq!(object(text), None);
}

#[test]
fn escaped_pairs_are_characters_and_halves_are_refused() {
    assert_eq!(
        parse(br#""\ud83d\ude00\u00e9\/\b""#),
        Ok(json!("\u{1f600}\u{e9}/\u{8}"))
    );
    for (text, column, unit) in [
        (r#""a\ud83d""#, 3, 0xd83d),
        (r#""\ude00\ud83d""#, 2, 0xde00),
        (r#""\ud83dx""#, 2, 0xd83d),
        (r#""\ud83d\u0041""#, 2, 0xd83d),
    ] {
        let fault = JsonFault::Surrogate {
            place: place(1, column, ""),
            unit,
        };
        assert_eq!(parse(text.as_bytes()), Err(fault), "{text}");
    }
    let read = object(br#"{"a":"x\ud83d","b":"\u0000"}"#).unwrap();
    assert_eq!(read["a"], "x\0");
    assert_eq!(read["b"], "\0");
    let read = object(br#"{"a":1e400,"b":2}"#).unwrap();
    assert_eq!((&read["a"], &read["b"]), (&json!({}), &json!(2)));
}

#[test]
fn a_list_where_none_belongs_is_found() {
    let lists = ["when"];
    let strays = |text: &str| stray_list(&parse(text.as_bytes()).unwrap(), &lists);
    assert_eq!(strays(r#"{"when": [{"a": 1}], "b": "x"}"#), None);
    assert_eq!(strays(r#"{"when": [{"a": [1]}]}"#).unwrap(), "/when/0/a");
    assert_eq!(strays(r#"{"when": [[]]}"#).unwrap(), "/when/0");
    assert_eq!(strays("[]").unwrap(), "");
}

#[test]
fn a_nul_in_a_text_or_a_name_is_refused() {
    for text in [r#"{"a":"\u0000"}"#, r#"{"\u0000":1}"#] {
        assert!(matches!(parse(text.as_bytes()), Err(JsonFault::Nul { .. })));
    }
}

proptest! {
    /// The other reader rounds nothing either.
    #[test]
    fn what_another_reader_takes_is_taken_alike(text in r#"[\[\]{},:" a\\u0-9eE.+-]{0,12}|(\[|\{"a":)?("[ -~]{0,4}"|-?[0-9]{1,3}(\.[0-9])?(e-?[0-9])?|true|null)(\]|\})?"#) {
        let other = serde_json::from_str::<Value>(&text);
        match (parse(text.as_bytes()), other) {
            (Ok(ours), Ok(other)) => prop_assert!(crate::domain::decimal::are_equal(&ours, &other), "{} {}", ours, other),
            (Err(JsonFault::Syntax { .. } | JsonFault::Surrogate { .. }), Err(_))
            | (Err(JsonFault::Duplicate { .. } | JsonFault::Number { .. } | JsonFault::Nul { .. }), Ok(_)) => {}
            (ours, other) => prop_assert!(false, "{ours:?} {other:?}"),
        }
    }

    #[test]
    fn what_is_written_is_read_back(texts in prop::collection::vec(any::<String>(), 0..4)) {
        let value = json!(texts.iter().map(|text| text.replace('\0', "")).collect::<Vec<_>>());
        prop_assert_eq!(parse(value.to_string().as_bytes()), Ok(value));
    }
}

#[test]
fn each_fault_has_a_code_and_its_place() {
    for (text, code, line) in [
        ("{\n\"a\": }", "json", Some("2")),
        ("{\n\n\"a\": 1, \"a\": 2}", "duplicate_member", Some("3")),
        (
            "[0.12345678901234567890123456789012345678901]",
            "exact",
            Some("1"),
        ),
        ("[1e999]", "exact", Some("1")),
        ("[\"\\u0000\"]", "unseen", Some("1")),
        ("[\"\\ud800\"]", "surrogate", Some("1")),
        ("\u{FFFD}", "json", Some("1")),
        (&"[".repeat(MAX_DEPTH + 1), "nested", None),
    ] {
        let fault = parse(text.as_bytes()).unwrap_err().to_fault();
        assert_eq!(fault.wrong.code(), code, "{text}");
        let values = fault.wrong.values();
        let placed = values.iter().find(|(name, _)| *name == "line");
        assert_eq!(placed.map(|(_, at)| at.as_str()), line, "{text}");
    }
    for bytes in [&b"\xff"[..], b"\xff\xfe{\0"] {
        assert_eq!(parse(bytes).unwrap_err().to_fault().wrong.code(), "utf8");
    }
}
