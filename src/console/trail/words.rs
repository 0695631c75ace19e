//! What rows of the trail say, in the reader's language.

use crate::console::texts::Texts;

/// What an action did, such as `member.change_role`. `None` for one that this version has no words for, as a later one may have
/// left it in the trail.
pub(super) fn action_in_words(texts: Texts, action: &str) -> Option<String> {
    let (thing, verb) = action.split_once('.')?;
    let verb = verb.replace('_', "-");
    let thing = thing.replace('_', "-");
    texts.find(&format!("did-{thing}-{verb}")).or_else(|| {
        let kind = texts.find(&format!("kind-{thing}"))?;
        let done = format!("did-document-{verb}");
        Some(texts.with(&done, "kind", kind)).filter(|text| *text != done)
    })
}

/// What a member of a row's details is called, or its name in the API.
pub(super) fn detail_name(texts: Texts, name: &str) -> String {
    let mut spelt = String::from("detail-");
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            spelt.push('-');
        }
        spelt.push(letter.to_ascii_lowercase());
    }
    texts.find(&spelt).unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_said_in_the_readers_language() {
        for (action, english, german) in [
            (
                "persona.release",
                "Persona published",
                "Persona veröffentlicht",
            ),
            ("snippet.delete", "Snippet deleted", "Textbaustein gelöscht"),
            ("member.change_role", "Role changed", "Rolle geändert"),
            (
                "sample-user.create",
                "Sample user added",
                "Beispielnutzer angelegt",
            ),
        ] {
            let said = |tag| action_in_words(Texts::tagged(tag), action);
            assert_eq!(said("en").as_deref(), Some(english));
            assert_eq!(said("de").as_deref(), Some(german));
        }
        for action in ["", "persona", "persona.unheard_of", "unheard.create"] {
            assert_eq!(
                action_in_words(Texts::tagged("en"), action),
                None,
                "{action}"
            );
        }
    }

    #[test]
    fn details_have_names_of_their_own() {
        let german = Texts::tagged("de");
        assert_eq!(detail_name(german, "expiresAt"), "Gültig bis");
        assert_eq!(detail_name(german, "unheardOf"), "unheardOf");
    }
}
