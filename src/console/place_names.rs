//! What people call the places of documents that the API names by JSON pointers.

use super::texts::Texts;

/// The name of a place, where people have one for it: of `/initialMessage` the greeting, of all that is under `/rules/2` the third rule.
pub fn place_name(texts: Texts, pointer: &str) -> Option<String> {
    let pointer = pointer.strip_prefix('/')?;
    let whole = pointer.replace('/', "-");
    let found = |prefix: &str| texts.find(&format!("{prefix}-{whole}"));
    if let Some(name) = found("setting").or_else(|| found("place")) {
        return Some(name);
    }
    let mut steps = pointer.split('/');
    let (first, second) = (steps.next()?, steps.next()?);
    match (first, second.parse::<usize>(), steps.next()) {
        ("rules" | "tests" | "tools", Ok(at), _) => {
            let name = format!("place-one-of-{first}");
            Some(texts.with(&name, "number", at.saturating_add(1)))
        }
        ("metadata", _, Some(field)) if second == "properties" => {
            let field = field.replace("~1", "/").replace("~0", "~");
            Some(texts.with("place-field", "name", field))
        }
        ("default", ..) => texts.find("place-default"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_people_see_have_names_and_others_none() {
        let named = |tag, pointer| place_name(Texts::tagged(tag), pointer);
        for (pointer, english, german) in [
            ("/initialMessage", "Greeting", "Begrüßung"),
            ("/avatarId", "Avatar", "Avatar"),
            ("/sessionOptions/region", "Region", "Region"),
            ("/rules/2/when/0/values", "Rule 3", "Regel 3"),
            ("/metadata/properties/a~1b/enum", "Field a/b", "Feld a/b"),
            ("/default/split/1", "Everybody else", "Alle anderen"),
        ] {
            assert_eq!(named("en", pointer).as_deref(), Some(english));
            assert_eq!(named("de", pointer).as_deref(), Some(german));
        }
        for pointer in ["", "/", "/unheard/of", "/rules/x", "/metadata"] {
            assert_eq!(named("en", pointer), None, "{pointer}");
        }
    }
}
