//! Sentences of a page, and the numbers in them.

use std::fs;
use std::path::Path;

use super::sources::known;

/// One thing of the repository, as text.
pub(super) fn file(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// README, CHANGELOG and everything below docs.
pub(super) fn pages() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![
        "README.md".to_owned(),
        "CHANGELOG.md".to_owned(),
        "migrations/README.md".to_owned(),
    ];
    let mut folders = vec!["docs".to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
            if entry.path().is_dir() {
                folders.push(path);
            } else if Path::new(&path).extension().is_some_and(|end| end == "md") {
                found.push(path);
            }
        }
    }
    found
}

/// Words and digits as a number: `5,000,000`, `0.5`, `thirty`.
fn number(text: &str) -> Option<f64> {
    let words = [
        ("one", 1),
        ("once", 1),
        ("two", 2),
        ("three", 3),
        ("four", 4),
        ("five", 5),
        ("seven", 7),
        ("eight", 8),
        ("nine", 9),
        ("ten", 10),
        ("twelve", 12),
        ("Sixteen", 16),
        ("twenty", 20),
        ("Thirty", 30),
        ("thirty", 30),
        ("fifty", 50),
        ("sixty", 60),
        ("hundred", 100),
        ("thousand", 1000),
    ];
    if let Some((_, number)) = words.iter().find(|(word, _)| *word == text) {
        return Some(f64::from(*number));
    }
    text.replace(',', "").parse().ok()
}

/// The numbers that stand where `sentence` has `{}`; line ends count as spaces. `None` where it does not stand there.
fn numbers(page: &str, sentence: &str) -> Option<Vec<f64>> {
    let parts: Vec<&str> = sentence.split("{}").collect();
    let (first, rest) = parts.split_first()?;
    let mut starts = page
        .match_indices(first)
        .map(|(at, found)| at + found.len());
    starts.find_map(|start| {
        let mut behind = page.get(start..)?;
        let mut found = Vec::new();
        for part in rest {
            let end = behind
                .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, ',' | '.')))
                .unwrap_or(behind.len());
            let word = behind.get(..end)?;
            // What ends a sentence is no part of the number.
            let word = word.trim_end_matches([',', '.']);
            found.push(number(word)?);
            behind = behind.get(word.len()..)?.strip_prefix(part)?;
        }
        Some(found)
    })
}

/// Holds a page to the program: each sentence, and for each of its numbers where the program has it (see `known`).
pub(super) fn hold(path: &str, promises: &[(&str, &[&str])]) {
    let page = file(path);
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut wrong = Vec::new();
    for (sentence, places) in promises {
        let Some(said) = numbers(&page, sentence) else {
            wrong.push(format!("does not say: {sentence}"));
            continue;
        };
        let is: Vec<f64> = places.iter().map(|place| known(place)).collect();
        let same = said.len() == is.len()
            && said
                .iter()
                .zip(&is)
                .all(|(said, is)| (said - is).abs() < 1e-9);
        if !same {
            wrong.push(format!("says {said:?} where it is {is:?}: {sentence}"));
        }
    }
    assert!(wrong.is_empty(), "{path}\n{}", wrong.join("\n"));
}

#[test]
fn a_number_is_read_however_it_is_written() {
    let page = "It takes 5,000,000 units, at most twenty, 0.5 to 10. The rest";
    let read = |sentence| numbers(page, sentence);
    assert_eq!(read("takes {} units"), Some(vec![5_000_000.0]));
    assert_eq!(
        read("at most {}, {} to {}. The"),
        Some(vec![20.0, 0.5, 10.0])
    );
    assert_eq!(read("takes {} pieces"), None);
    assert_eq!(read("takes no {}"), None);
}
