//! Tags that were written for another engine, or changed by a word processor, and what to write instead.

use crate::domain::characters::unseen;

/// No longer part of a tag is repeated in advice.
const MAX_SHOWN: usize = 60;

/// What is wrong with a tag in which something can't be read, and what to write instead; `None` where it is nothing known.
/// The offset, in bytes, is that of what can't be read, the answer's that of what is wrong.
pub(super) fn diagnose(source: &str, offset: usize) -> Option<(usize, String, String)> {
    let start = tag_before(source, offset)?;
    let (opening, rest) = source.get(start..)?.split_at_checked(2)?;
    let end = rest.find(['\n', '}']).unwrap_or(rest.len());
    let inside = rest.get(..end).unwrap_or(rest);
    if let Some((at, message, advice)) = character(inside) {
        return Some((start + 2 + at, message, advice));
    }
    if opening == "{{"
        && let Some((message, advice)) = handlebars(inside, rest)
    {
        return Some((start, message, advice));
    }
    operator(inside).map(|(message, advice)| (start, message, advice))
}

/// Where the last tag begins before an offset.
fn tag_before(source: &str, offset: usize) -> Option<usize> {
    let until = source.get(..source.floor_char_boundary(offset.saturating_add(2)))?;
    let before = ["{{", "{%"]
        .into_iter()
        .filter_map(|open| until.rfind(open))
        .max()?;
    // Of `{{{`, the last two braces were found.
    let three = before.checked_sub(1).filter(|at| {
        source
            .get(*at..)
            .is_some_and(|text| text.starts_with("{{{"))
    });
    Some(three.unwrap_or(before))
}

/// Characters outside of texts that look like quotes or like spaces.
fn character(inside: &str) -> Option<(usize, String, String)> {
    let mut quote = None;
    inside.char_indices().find_map(|(at, c)| {
        if matches!(c, '"' | '\'') && quote.is_none_or(|open| open == c) {
            quote = quote.is_none().then_some(c);
        }
        if quote.is_some() {
            return None;
        }
        if matches!(c, '\u{2018}'..='\u{201F}' | '\u{AB}' | '\u{BB}' | '`') {
            let message = format!("{c} is no quote that a template knows");
            return Some((at, message, "Write straight quotes: \"text\"".to_owned()));
        }
        let name = unseen(c)?;
        Some((
            at,
            format!("{name} is in a tag"),
            "Write a plain space, or delete it".to_owned(),
        ))
    })
}

/// What is in the two braces of Handlebars and Mustache.
fn handlebars(inside: &str, rest: &str) -> Option<(String, String)> {
    let inside = inside.trim_start();
    let mut chars = inside.chars();
    let sign = chars.next()?;
    let words = chars.as_str().trim();
    let (word, about) = words
        .split_once(char::is_whitespace)
        .unwrap_or((words, "x"));
    let (word, about) = (excerpt(word), excerpt(about.trim()));
    let of_handlebars = |what: &str| format!("{what} is Handlebars or Mustache");
    let tag = |what: &str, advice: String| Some((of_handlebars(what), advice));
    match sign {
        '{' => {
            let name = rest
                .trim_start_matches('{')
                .split('}')
                .next()
                .unwrap_or_default();
            tag(
                "{{{ }}}",
                format!(
                    "Write {{{{ {} }}}}: nothing is escaped",
                    excerpt(name.trim())
                ),
            )
        }
        '#' => tag(
            &format!("{{{{#{word}}}}}"),
            match word {
                "if" => format!("Write {{% if {about} %}} ... {{% endif %}}"),
                "unless" => format!("Write {{% if not {about} %}} ... {{% endif %}}"),
                "each" => format!("Write {{% for item in {about} %}} ... {{% endfor %}}"),
                "with" => format!("Write the whole name each time: {{{{ {about}.name }}}}"),
                _ => format!(
                    "Write {{% if {word} %}} ... {{% endif %}}, or {{% for item in {word} %}} ... {{% endfor %}}"
                ),
            },
        ),
        '/' => tag(
            &format!("{{{{/{word}}}}}"),
            match word {
                "if" | "unless" => "Write {% endif %}".to_owned(),
                "each" => "Write {% endfor %}".to_owned(),
                _ => "Write {% endif %} or {% endfor %}".to_owned(),
            },
        ),
        '^' if word.is_empty() => tag("{{^}}", "Write {% else %}".to_owned()),
        '^' => tag(
            &format!("{{{{^{word}}}}}"),
            format!("Write {{% if not {word} %}} ... {{% endif %}}"),
        ),
        '>' => tag(
            "{{> }}",
            "Make it a snippet, and write {{ snippets[\"its-key\"] }}".to_owned(),
        ),
        '!' => tag("{{! }}", "Write {# comment #}".to_owned()),
        '&' => tag(
            "{{& }}",
            format!("Write {{{{ {} }}}}: nothing is escaped", excerpt(words)),
        ),
        '@' => tag(
            "{{@ }}",
            "In a loop write loop.index, loop.first or loop.last".to_owned(),
        ),
        '.' => tag(
            "{{.}}",
            "Give the item a name: {% for item in list %}{{ item }}{% endfor %}".to_owned(),
        ),
        _ => None,
    }
}

/// Operators of JavaScript and the colon of Liquid.
fn operator(inside: &str) -> Option<(String, String)> {
    for (sign, instead) in [("&&", "and"), ("||", "or"), ("===", "=="), ("!==", "!=")] {
        if inside.contains(sign) {
            return Some((
                format!("{sign} is no operator of templates"),
                format!("Write {instead}"),
            ));
        }
    }
    let (_, filter) = inside.rsplit_once('|')?;
    let (name, argument) = filter.split_once(':')?;
    let name = name.trim();
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    let argument = excerpt(argument.trim().trim_end_matches(['%', '-']).trim());
    is_name.then(|| {
        (
            format!("{name}: is Liquid"),
            format!("Arguments are written in brackets: {name}({argument})"),
        )
    })
}

/// The filter of ours that does what one of Jinja or Liquid does.
pub(super) fn filter(name: &str) -> Option<&'static str> {
    Some(match name {
        "e" | "escape" | "safe" | "raw" | "forceescape" => {
            "Take it out: nothing is escaped, and what users send is marked by itself"
        }
        "upcase" | "uppercase" => "Write upper",
        "downcase" | "lowercase" => "Write lower",
        "size" => "Write length",
        "strip" | "lstrip" | "rstrip" => "Write trim",
        "capfirst" => "Write capitalize",
        "titlecase" => "Write title",
        "float" | "number" => "Take it out: numbers are printed as they were sent",
        "string" => "Take it out: a value is printed as text",
        "tojson" | "json" | "pprint" => "Print the value as it is: lists and maps print as JSON",
        "list" => "Take it out: a list is a list",
        "append" | "prepend" => "Write both, one after the other",
        "truncatewords" => "Write truncate(80), in characters",
        "sort" | "reverse" | "unique" | "map" | "select" | "reject" | "selectattr"
        | "rejectattr" | "groupby" | "batch" | "slice" | "sum" | "min" | "max" | "random" => {
            "Send the list as the text it should read as, or use {% for %} with {% if %}"
        }
        "date" | "strftime" => {
            "Send the date as the text it should read as; time.date and time.weekday are there"
        }
        "format" | "wordwrap" | "indent" | "center" | "nl2br" | "striptags" | "urlencode"
        | "filesizeformat" => "Send the text as it should read",
        _ => return None,
    })
}

/// The statement of ours for one of Jinja, Liquid or Twig.
pub(super) fn statement(name: &str) -> Option<&'static str> {
    Some(match name {
        "elsif" | "elseif" | "else if" => "Write {% elif ... %}",
        "unless" => "Write {% if not ... %} ... {% endif %}",
        "endunless" => "Write {% endif %}",
        "case" | "switch" | "when" => {
            "Write {% if a == \"x\" %} ... {% elif a == \"y\" %} ... {% endif %}"
        }
        "assign" | "capture" | "increment" | "decrement" => super::NO_STATE,
        "comment" | "endcomment" => "Write {# comment #}",
        "verbatim" | "literal" => "Write {% raw %} ... {% endraw %}",
        "foreach" | "each" => "Write {% for item in list %} ... {% endfor %}",
        "end" => "Write {% endif %} or {% endfor %}",
        "render" | "partial" => "Make it a snippet, and write {{ snippets[\"its-key\"] }}",
        _ => return None,
    })
}

/// Where a comment opens that was probably meant as the name of a heading (`{#intro}`), with the bytes that it swallows.
pub(super) fn swallowed(source: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = source.get(from..).and_then(|rest| rest.find("{#")) {
        let start = from.saturating_add(at);
        let rest = source.get(start..).unwrap_or_default();
        let end = rest
            .find("#}")
            .map_or(rest.len(), |end| end.saturating_add(2));
        let inside = rest.get(2..end).unwrap_or_default();
        let name = inside.find(|c: char| !(c.is_alphanumeric() || "-_.:".contains(c)));
        if name
            .is_some_and(|at| at > 0 && inside.get(at..).is_some_and(|rest| rest.starts_with('}')))
        {
            found.push((start, rest.get(..end).unwrap_or(rest)));
        }
        from = start.saturating_add(end.max(2));
    }
    found
}

fn excerpt(text: &str) -> &str {
    let end = text
        .char_indices()
        .nth(MAX_SHOWN)
        .map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::super::{TemplateKind, survey};

    fn first(source: &str) -> (usize, usize, String, String) {
        let faults = survey(source, TemplateKind::Prompt).faults;
        let fault = faults.into_iter().next().expect(source);
        (fault.line, fault.column, fault.message, fault.advice)
    }

    #[test]
    fn tags_of_other_engines_are_recognised() {
        for (source, place, advice) in [
            (
                "a\n b {{#if user.plan}}x{{/if}}",
                (2, 4),
                "Write {% if user.plan %} ... {% endif %}",
            ),
            (
                "{{#unless user.plan}}x",
                (1, 1),
                "Write {% if not user.plan %} ... {% endif %}",
            ),
            (
                "{{#each metadata.items}}x",
                (1, 1),
                "Write {% for item in metadata.items %} ... {% endfor %}",
            ),
            ("{{/each}}", (1, 1), "Write {% endfor %}"),
            (
                "{{^user.plan}}x",
                (1, 1),
                "Write {% if not user.plan %} ... {% endif %}",
            ),
            ("{{else}}", (1, 3), "Write {% else %}"),
            (
                "Hi {{{user.name}}}!",
                (1, 4),
                "Write {{ user.name }}: nothing is escaped",
            ),
            (
                "{{> header}}",
                (1, 1),
                "Make it a snippet, and write {{ snippets[\"its-key\"] }}",
            ),
            ("{{! note }}", (1, 1), "Write {# comment #}"),
            (
                "{{&user.name}}",
                (1, 1),
                "Write {{ user.name }}: nothing is escaped",
            ),
            (
                "{{ user.name|default(“you”) }}",
                (1, 22),
                "Write straight quotes: \"text\"",
            ),
            (
                "{{\u{a0}user.name }}",
                (1, 3),
                "Write a plain space, or delete it",
            ),
            (
                "{{ user.name | default: \"you\" }}",
                (1, 1),
                "Arguments are written in brackets: default(\"you\")",
            ),
            ("{% if user.a && user.b %}x{% endif %}", (1, 1), "Write and"),
            (
                "{% if user.a %}{% elsif user.b %}{% endif %}",
                (1, 19),
                "Write {% elif ... %}",
            ),
            (
                "{% unless user.a %}x{% endunless %}",
                (1, 4),
                "Write {% if not ... %} ... {% endif %}",
            ),
            ("{% assign a = 1 %}", (1, 4), super::super::NO_STATE),
            ("{{ user.name|upcase }}", (1, 4), "Write upper"),
            (
                "{{ user.name|e }}",
                (1, 4),
                "Take it out: nothing is escaped, and what users send is marked by itself",
            ),
            (
                "{{ user.first-name }}",
                (1, 4),
                "Write user[\"first-name\"]",
            ),
        ] {
            let (line, column, message, written) = first(source);
            assert_eq!(
                (written.as_str(), (line, column)),
                (advice, place),
                "{source}: {message}"
            );
        }
    }

    #[test]
    fn what_is_no_fault_is_let_through() {
        for source in [
            "{{ user.name.first }}",
            "{{\"a\"}}",
            "{{ \"{{\" }} {{ '}}' }}",
            "{% raw %}{{#if x}} {{{y}}}{% endraw %}",
            "{ } {x} 100% #1",
            "{# a comment #}",
        ] {
            assert_eq!(survey(source, TemplateKind::Prompt).faults, [], "{source}");
        }
    }

    #[test]
    fn a_heading_with_a_name_that_opens_a_comment_is_found() {
        let source = "# Intro {#intro}\nText\n{# note #}\n# End";
        let swallowed = super::swallowed(source);
        assert_eq!(swallowed, [(8, "{#intro}\nText\n{# note #}")]);
        assert!(super::swallowed("{# note #} {#- a -#} {#note#}").is_empty());
    }
}
