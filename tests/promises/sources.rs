//! Where the program has its numbers.

use serde_json::Value;

use super::sentences::file;

/// A number of the program, by where it stands; terms may be added and divided: `A + B`, `A / 1024`.
///
/// - `src/x.rs NAME`: a constant; with `.0`, `.1`, ... behind it one of the numbers that it is made of, in their order;
/// - `src/x.rs name:`, `src/x.rs "name" =>`: what stands behind that at the beginning of a line;
/// - `section.key`: a default setting;
/// - `#/pointer`: in docs/bundle.schema.json;
/// - digits: themselves.
pub(super) fn known(place: &str) -> f64 {
    place
        .split(" + ")
        .map(|term| {
            let mut factors = term.split(" / ").map(one);
            let first = factors.next().unwrap();
            factors.fold(first, |value, divisor| value / divisor)
        })
        .sum()
}

fn one(place: &str) -> f64 {
    if let Ok(number) = place.parse() {
        return number;
    }
    if let Some(pointer) = place.strip_prefix('#') {
        return schema(pointer);
    }
    match place.split_once(' ') {
        Some((path, name)) => constant(path, name),
        None => setting(place),
    }
}

fn schema(pointer: &str) -> f64 {
    let schema: Value = serde_json::from_str(&file("docs/bundle.schema.json")).unwrap();
    let found = schema.pointer(pointer).and_then(Value::as_f64);
    found.unwrap_or_else(|| panic!("no number at {pointer} of the schema"))
}

fn setting(key: &str) -> f64 {
    let (section, name) = key.split_once('.').unwrap();
    let defaults = file("config/default.toml");
    let (_, section) = defaults.split_once(&format!("[{section}]\n")).unwrap();
    let section = section.split("\n[").next().unwrap();
    let value = section
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
    let number = value.and_then(|value| value.parse().ok());
    number.unwrap_or_else(|| panic!("{key} is a number"))
}

/// The numbers that a constant is made of; what is multiplied is one.
fn constant(path: &str, name: &str) -> f64 {
    let (name, nth) = match name.split_once('.') {
        Some((name, nth)) => (name, nth.parse::<usize>().unwrap()),
        None => (name, 0),
    };
    let source = file(path);
    if name.ends_with([':', '>']) {
        let found = source.lines().find_map(|line| {
            let value = line.trim_start().strip_prefix(name)?;
            value.split('(').find_map(product)
        });
        return found.unwrap_or_else(|| panic!("{path} has no member {name}"));
    }
    let start = format!("const {name}:");
    let value = source
        .lines()
        .map(|line| {
            line.trim_start()
                .trim_start_matches("pub(super) ")
                .trim_start_matches("pub ")
        })
        .find_map(|line| line.strip_prefix(start.as_str())?.split_once(" = "))
        .map_or_else(
            || panic!("{path} has no {name} on one line"),
            |(_type, value)| value.to_owned(),
        );
    let numbers: Vec<f64> = value
        .split([',', '=', '('])
        .flat_map(|part| part.split(".."))
        .filter_map(product)
        .collect();
    *numbers
        .get(nth)
        .unwrap_or_else(|| panic!("{path} {name} has no such number: {value}"))
}

/// `64 * 1024`, `5_000_000`, `30).unwrap()`, `"7200"`; none where no number stands.
fn product(text: &str) -> Option<f64> {
    let factors = text.split('*').map(|factor| {
        let factor = factor.trim().trim_start_matches('"').replace('_', "");
        let end = factor.find(|c: char| !(c.is_ascii_digit() || c == '.'));
        let digits = factor.get(..end.unwrap_or(factor.len()))?;
        digits.trim_end_matches('.').parse::<f64>().ok()
    });
    factors.product::<Option<f64>>()
}
