//! Names as JSON has them.

/// The name that a member is sent under: `live_from` as `liveFrom`.
pub fn wire_name(name: &str) -> String {
    let mut words = name.trim_start_matches("r#").split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut chars = word.chars();
        camel.extend(chars.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(chars.as_str());
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::wire_name;

    #[test]
    fn names_are_sent_in_wire_name() {
        for (name, sent) in [
            ("title", "title"),
            ("live_from", "liveFrom"),
            ("dry_run", "dryRun"),
            ("a_b_c", "aBC"),
            (stringify!(r#use), "use"),
        ] {
            assert_eq!(wire_name(name), sent);
        }
    }
}
