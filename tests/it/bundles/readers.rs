//! What `export` writes is read the same by readers of YAML 1.1 (`PyYAML`) and 1.2 (js-yaml), and by the gateway.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use persona_gateway::authoring::yaml::{Source, write};
use serde_json::{Value, json};

use crate::harness::npm;

/// Texts that some reader takes for something else, or can't read, where they stand without quotes.
const ODD: [&str; 95] = [
    "",
    " ",
    "~",
    "=",
    "<<",
    "!",
    "&a",
    "*a",
    "?",
    "-",
    ":",
    "|",
    ">",
    "%",
    "@",
    "`",
    "#",
    ",",
    "[",
    "]",
    "{",
    "}",
    "y",
    "Y",
    "n",
    "N",
    "yes",
    "Yes",
    "NO",
    "on",
    "Off",
    "true",
    "True",
    "FALSE",
    "null",
    "Null",
    "NULL",
    "nan",
    "inf",
    ".inf",
    "-.INF",
    ".nan",
    "1",
    "-1",
    "+1",
    "0",
    "00",
    "01",
    "1_000",
    "0b101",
    "0o7",
    "07",
    "0x1F",
    "1.5",
    "1.",
    ".5",
    "1e3",
    "1.0e+3",
    "1:30",
    "190:20:30",
    "1:30.5",
    "2026-11-24",
    "2026-11-24 10:00:00",
    "2026-11-24T10:00:00Z",
    "---",
    "...",
    "--- a",
    "- a",
    "a: b",
    "a:",
    ":a",
    "a #b",
    "#a",
    "a ",
    " a",
    "a\n",
    "\na",
    "a\nb",
    "a\n\nb\n\n",
    " a\nb",
    "a\n  b\n c",
    "a\n \nb",
    "a \nb",
    "\ta\nb",
    "a\tb",
    "a\r\nb",
    "\"a\"",
    "'a'",
    "a\\b",
    "{{ user.name }}",
    "{% if a %}",
    "Zoë",
    "\u{645}\u{6cc}\u{200c}\u{62e}\u{648}",
    "👩‍👩‍👧‍👦",
    "30fa96d0-26c4-4e55-94a0-517025942e18",
];

fn texts() -> Vec<String> {
    let characters = (0x1..0x300_u32)
        .chain(0x2000..0x2070)
        .chain([0x1680, 0x180e, 0x3000, 0xd7ff, 0xe000, 0xfe0f, 0xfeff])
        .chain(0xfff0..0x1_0000)
        .chain([0x1_f600, 0x1_fffe, 0xe_0001, 0x10_fffd, 0x10_ffff])
        .filter_map(char::from_u32);
    let around = characters.flat_map(|c| {
        [
            c.to_string(),
            format!("a{c}b"),
            format!("one{c}\ntwo {c}three\n{c}four\n"),
        ]
    });
    let fixed = ODD.iter().map(|text| (*text).to_owned());
    // Names longer than readers look for a colon.
    let long = [100, 1_000, 5_000].map(|length| "word ".repeat(length));
    fixed.chain(around).chain(long).collect()
}

fn values() -> Vec<Value> {
    let mut values: Vec<Value> = texts()
        .into_iter()
        .map(|text| {
            json!({ "text": text, "list": [text, [text], { "in": text }], "named": { (text.as_str()): { "deep": [{ "a": 1, "b": text }] } } })
        })
        .collect();
    values.extend([
        json!({ "empty": [[], {}, [[]], [{}], ""], "none": null, "yes": true }),
        json!([
            1,
            -1,
            0,
            0.5,
            -0.25,
            9_007_199_254_740_991_i64,
            0.000_000_1,
            [[1, [2]], 3]
        ]),
        json!([1e300, 1.5e-7]),
        json!("alone"),
        json!("alone\nand long\n"),
    ]);
    values
}

/// What a reader finds in texts.
fn read_by(program: &str, script: &str, place: &Path, texts: &[String]) -> Vec<Value> {
    let mut child = Command::new(program)
        .arg(script)
        .current_dir(place)
        .env("PYTHONPATH", place.join("packages"))
        .env("PYTHONIOENCODING", "utf-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("this test needs {program} ({error})"));
    let asked = serde_json::to_vec(texts).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&asked).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{program} {script} failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn all_read_alike(reader: &str, found: &[Value], written: &[(Value, String)]) {
    assert_eq!(found.len(), written.len());
    for (found, (value, text)) in found.iter().zip(written) {
        assert!(
            persona_gateway::domain::decimal::are_equal(found, value),
            "{reader} reads {found}, not {value}, in\n{text}"
        );
    }
}

fn written() -> Vec<(Value, String)> {
    values()
        .into_iter()
        .map(|value| {
            let text = write(&value);
            (value, text)
        })
        .collect()
}

#[test]
fn the_gateway_reads_what_it_wrote() {
    let written = written();
    let found: Vec<Value> = written
        .iter()
        .map(|(_, text)| {
            Source::parse(text)
                .unwrap_or_else(|faults| panic!("{faults:?}: {text}"))
                .value
        })
        .collect();
    all_read_alike("the gateway", &found, &written);
    for (value, _) in written {
        let text = value.to_string();
        if text.starts_with(['{', '[']) {
            let read = Source::parse(&text).unwrap().value;
            assert!(
                persona_gateway::domain::decimal::are_equal(&read, &value),
                "{text}"
            );
        }
    }
}

#[test]
fn pyyaml_reads_what_the_gateway_writes() {
    let files = ["requirements.txt", "read.py"];
    let place = npm::installed_by_pip("yaml_readers", &files);
    let written = written();
    let texts: Vec<String> = written.iter().map(|(_, text)| text.clone()).collect();
    let found = read_by("python3", "read.py", &place, &texts);
    all_read_alike("PyYAML", &found, &written);

    let long = json!({ "id": serde_json::from_str::<Value>("107123456789012345678").unwrap() });
    let found = read_by("python3", "read.py", &place, &[write(&long)]);
    assert_eq!(found, [long]);
}

#[test]
fn js_yaml_reads_what_the_gateway_writes() {
    let files = ["package.json", "package-lock.json", "read.mjs"];
    let place = npm::installed("yaml_readers", &files);
    let written = written();
    let texts: Vec<String> = written.iter().map(|(_, text)| text.clone()).collect();
    let found = read_by("node", "read.mjs", &place, &texts);
    all_read_alike("js-yaml", &found, &written);
}
