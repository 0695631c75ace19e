//! Words of the API for people: in their language where the console has them, and else as the API says them, in English.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::texts::Texts;
use crate::domain::wrong::capitalised;

/// Something that is said, and whether it is in English on a page that is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub text: String,
    pub is_foreign: bool,
}

impl Said {
    /// With a capital letter in front and a stop at the end.
    #[must_use]
    pub fn as_sentence(&self) -> Self {
        let mut text = capitalised(&self.text);
        if !text.ends_with(['.', '?', '!']) {
            text.push('.');
        }
        Self {
            text,
            is_foreign: self.is_foreign,
        }
    }
}

/// What is wrong, by its code and what belongs to it; empty of what is right.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Wrong {
    pub code: String,
    pub values: BTreeMap<String, String>,
}

/// The code of what the console itself says.
const OWN: &str = "own";

impl Wrong {
    /// What the console says itself, in the language of the page.
    pub fn own() -> Self {
        Self {
            code: OWN.to_owned(),
            ..Self::default()
        }
    }

    /// Whether the words are the console's own.
    fn is_own(&self) -> bool {
        self.code == OWN
    }
}

/// What is wrong: by its code, where the API tells one and the console has a text for it.
pub fn by_code(texts: Texts, wrong: &Wrong, message: &str) -> Said {
    if wrong.is_own() {
        return Said {
            text: message.to_owned(),
            is_foreign: false,
        };
    }
    if texts.is_english() || wrong.code.is_empty() {
        return english(texts, message);
    }
    let mut name = format!("fault-{}", wrong.code.replace('_', "-"));
    let lacks_one = wrong.values.values().any(String::is_empty);
    let has_no_least = wrong.values.get("least").is_some_and(|least| least == "0");
    for (applies, variant) in [(lacks_one, "none"), (has_no_least, "most")] {
        let other = format!("{name}-{variant}");
        if applies && texts.find(&other).is_some() {
            name = other;
        }
    }
    let values = wrong.values.iter();
    let values: Vec<(&str, &str)> = values
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    if texts.find(&name).is_none() {
        return english(texts, message);
    }
    let text = texts.with_all(&name, &values);
    let place = |name: &str| wrong.values.get(name).map(String::as_str);
    Said {
        text: match (place("line"), place("column")) {
            (Some(line), Some(column)) => {
                let placed = [("line", line), ("column", column), ("text", text.as_str())];
                texts.with_all("fault-placed", &placed)
            }
            _ => text,
        },
        is_foreign: false,
    }
}

/// What the API says, as it says it.
pub fn english(texts: Texts, words: &str) -> Said {
    Said {
        text: words.to_owned(),
        is_foreign: !texts.is_english(),
    }
}

/// Several that belong together, as one; the same only once.
pub fn together(said: &[Said]) -> Option<Said> {
    let mut texts: Vec<&str> = Vec::new();
    for said in said {
        if !texts.contains(&said.text.as_str()) {
            texts.push(&said.text);
        }
    }
    (!said.is_empty()).then(|| Said {
        text: texts.join("; "),
        is_foreign: said.iter().any(|said| said.is_foreign),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fault;
    use crate::domain::wrong;

    /// A fault as the API tells it.
    #[derive(Deserialize)]
    struct Told {
        message: String,
        #[serde(flatten)]
        wrong: Wrong,
    }

    fn said(texts: Texts, words: impl Into<wrong::Words>) -> Said {
        let fault = fault::Fault::new("/at", words);
        let body = serde_json::to_value(crate::web::finding::FaultBody::from(&fault)).unwrap();
        let told: Told = serde_json::from_value(body).unwrap();
        by_code(texts, &told.wrong, &told.message)
    }

    #[test]
    fn a_fault_is_told_in_the_language_of_the_page_or_marked_as_english() {
        let german = Texts::tagged("de");
        let length = wrong::Wrong::Length {
            least: 1,
            most: 100,
        };
        for (words, text) in [
            (wrong::Wrong::Missing.into(), "fehlt"),
            (
                length.worded("is not what it says here"),
                "muss 1 bis 100 Zeichen haben",
            ),
            (
                wrong::Wrong::range(0, 3_650).into(),
                "muss von 0 bis 3650 sein",
            ),
            (
                wrong::Wrong::Placed {
                    line: 3,
                    column: 7,
                    wrong: Box::new(wrong::Wrong::Missing),
                }
                .into(),
                "Zeile 3, Spalte 7: fehlt",
            ),
            (
                no_fact("plan, name").into(),
                "user.role gibt kein Aussteller des Mandanten an; angegeben werden plan, name. Steht es im Token, im Aussteller zuordnen",
            ),
            (
                no_fact("").into(),
                "user.role gibt kein Aussteller des Mandanten an; noch gibt keiner etwas über Nutzer an. Steht es im Token, im Aussteller zuordnen",
            ),
            (
                never_holds("\"gold\", \"basic\"").into(),
                "gilt nie: user.plan ist eines von \"gold\", \"basic\"",
            ),
            (
                never_holds("").into(),
                "gilt nie: so einen Wert hat user.plan nicht",
            ),
            (
                empty_for("sample", "anna").into(),
                "bleibt für den Beispielnutzer anna leer: Text schreiben, der nicht von Werten abhängt, oder ein {% else %}",
            ),
            (
                empty_for("unknown", "").into(),
                "bleibt für jemanden, von dem nichts bekannt ist, leer: Text schreiben, der nicht von Werten abhängt, oder ein {% else %}",
            ),
            (
                wrong::Wrong::one_of(&["a", "b"]).into(),
                "muss eines von diesen sein: a, b",
            ),
        ] {
            let said = said(german, words);
            assert_eq!((said.text.as_str(), said.is_foreign), (text, false));
        }
        for words in ["must be 1 to 7 of what nobody knows; ask", "is missing"] {
            let said = said(german, wrong::Wrong::Elsewhere.worded(words));
            assert_eq!((said.text.as_str(), said.is_foreign), (words, true));
        }
        let english = said(Texts::default(), length_of_words());
        assert_eq!(
            (english.text.as_str(), english.is_foreign),
            ("in these words", false)
        );
    }

    fn no_fact(known: &str) -> wrong::Wrong {
        let (name, known) = ("user.role".to_owned(), known.to_owned());
        wrong::Wrong::NoFact { name, known }
    }

    fn never_holds(known: &str) -> wrong::Wrong {
        let (name, known) = ("user.plan".to_owned(), known.to_owned());
        wrong::Wrong::NeverHolds { name, known }
    }

    fn empty_for(who: &'static str, name: &str) -> wrong::Wrong {
        let name = name.to_owned();
        wrong::Wrong::EmptyFor { who, name }
    }

    fn length_of_words() -> wrong::Words {
        wrong::Wrong::Missing.worded("in these words")
    }

    #[test]
    fn without_a_least_only_the_most_is_said() {
        let text = |least| said(Texts::tagged("de"), wrong::Wrong::Length { least, most: 9 }).text;
        assert_eq!(text(0), "darf höchstens 9 Zeichen haben");
        assert_eq!(text(1), "muss 1 bis 9 Zeichen haben");
    }

    #[test]
    fn several_that_say_the_same_say_it_once() {
        let [one, other] = ["a", "b"].map(|text| english(Texts::tagged("de"), text));
        let both = together(&[one.clone(), other, one]).unwrap();
        assert_eq!((both.text.as_str(), both.is_foreign), ("a; b", true));
    }

    #[test]
    fn every_code_of_a_fault_has_a_text_that_asks_for_no_other_values() {
        for texts in ["en", "de"].map(Texts::tagged) {
            for (code, names) in wrong::Wrong::CODES {
                let name = format!("fault-{}", code.replace('_', "-"));
                assert!(texts.find(&name).is_some(), "{name}");
                let values: Vec<(&str, &str)> = names.iter().map(|name| (*name, "x")).collect();
                for name in [format!("{name}-none"), format!("{name}-most"), name] {
                    if texts.find(&name).is_some() {
                        let text = texts.with_all(&name, &values);
                        assert!(!text.contains("{$"), "{name}: {text}");
                    }
                }
            }
        }
    }
}
