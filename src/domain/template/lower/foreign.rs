//! Tags that were written for another engine, or changed by a word processor, and what to write instead.

use crate::domain::characters::unseen;
use crate::domain::wrong::{Words, Wrong};

/// No longer part of a tag is repeated in advice.
const MAX_SHOWN: usize = 60;

/// What is wrong with a tag, and what to write instead.
pub(super) struct Diagnosis {
    /// Where, in bytes.
    pub(super) at: usize,
    pub(super) words: Words,
    pub(super) advice: String,
}

/// What is wrong with a tag in which something can't be read at an offset in bytes; `None` where it is nothing known.
pub(super) fn diagnose(source: &str, offset: usize) -> Option<Diagnosis> {
    let start = tag_before(source, offset)?;
    let (opening, rest) = source.get(start..)?.split_at_checked(2)?;
    let end = rest.find(['\n', '}']).unwrap_or(rest.len());
    let inside = rest.get(..end).unwrap_or(rest);
    if let Some((at, words, advice)) = character(inside) {
        let at = start + 2 + at;
        return Some(Diagnosis { at, words, advice });
    }
    let foreign = match opening {
        "{{" => handlebars(inside, rest).or_else(|| operator(inside)),
        _ => operator(inside),
    }?;
    let Foreign {
        message,
        name,
        instead,
        advice,
    } = foreign;
    Some(Diagnosis {
        at: start,
        advice: advice.unwrap_or_else(|| format!("Write {instead}")),
        words: Wrong::Foreign { name, instead }.worded(message),
    })
}

/// A sign of another engine.
struct Foreign {
    message: String,
    name: String,
    /// What does the same here, as it is written.
    instead: String,
    /// Where more is to be said than to write that.
    advice: Option<String>,
}

impl Foreign {
    fn of_handlebars(name: impl Into<String>, instead: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            message: format!("{name} is Handlebars or Mustache"),
            name,
            instead: instead.into(),
            advice: None,
        }
    }

    fn advised(self, advice: impl FnOnce(&str) -> String) -> Self {
        Self {
            advice: Some(advice(&self.instead)),
            ..self
        }
    }
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
fn character(inside: &str) -> Option<(usize, Words, String)> {
    let mut quote = None;
    inside.char_indices().find_map(|(at, c)| {
        if matches!(c, '"' | '\'') && quote.is_none_or(|open| open == c) {
            quote = quote.is_none().then_some(c);
        }
        if quote.is_some() {
            return None;
        }
        if matches!(c, '\u{2018}'..='\u{201F}' | '\u{AB}' | '\u{BB}' | '`') {
            let words = Wrong::Quote(c).into();
            return Some((at, words, "Write straight quotes: \"text\"".to_owned()));
        }
        let name = unseen(c)?;
        Some((
            at,
            Wrong::unseen(c).worded(format!("{name} is in a tag")),
            "Write a plain space, or delete it".to_owned(),
        ))
    })
}

/// What is in the two braces of Handlebars and Mustache.
fn handlebars(inside: &str, rest: &str) -> Option<Foreign> {
    let inside = inside.trim_start();
    let mut chars = inside.chars();
    let sign = chars.next()?;
    let words = chars.as_str().trim();
    let (word, about) = words
        .split_once(char::is_whitespace)
        .unwrap_or((words, "x"));
    let (word, about) = (excerpt(word), excerpt(about.trim()));
    let tag = |name: String, instead: String| Foreign::of_handlebars(name, instead);
    let unescaped = |instead: &str| format!("Write {instead}: nothing is escaped");
    Some(match sign {
        '{' => {
            let name = rest
                .trim_start_matches('{')
                .split('}')
                .next()
                .unwrap_or_default();
            let instead = format!("{{{{ {} }}}}", excerpt(name.trim()));
            Foreign::of_handlebars("{{{ }}}", instead).advised(unescaped)
        }
        '#' => opening(word, about),
        '/' => tag(
            format!("{{{{/{word}}}}}"),
            match word {
                "if" | "unless" => "{% endif %}".to_owned(),
                "each" => "{% endfor %}".to_owned(),
                _ => "{% endif %} / {% endfor %}".to_owned(),
            },
        ),
        '^' if word.is_empty() => Foreign::of_handlebars("{{^}}", "{% else %}"),
        '^' => tag(
            format!("{{{{^{word}}}}}"),
            format!("{{% if not {word} %}} ... {{% endif %}}"),
        ),
        '>' => Foreign::of_handlebars("{{> }}", "{{ snippets[\"its-key\"] }}")
            .advised(|instead| format!("Make it a snippet, and write {instead}")),
        '!' => Foreign::of_handlebars("{{! }}", "{# comment #}"),
        '&' => tag("{{& }}".to_owned(), format!("{{{{ {} }}}}", excerpt(words))).advised(unescaped),
        '@' => Foreign::of_handlebars("{{@ }}", "loop.index / loop.first / loop.last")
            .advised(|instead| format!("In a loop write {instead}")),
        '.' => Foreign::of_handlebars("{{.}}", "{% for item in list %}{{ item }}{% endfor %}")
            .advised(|instead| format!("Give the item a name: {instead}")),
        _ => return None,
    })
}

fn opening(word: &str, about: &str) -> Foreign {
    let instead = match word {
        "if" => format!("{{% if {about} %}} ... {{% endif %}}"),
        "unless" => format!("{{% if not {about} %}} ... {{% endif %}}"),
        "each" => format!("{{% for item in {about} %}} ... {{% endfor %}}"),
        "with" => format!("{{{{ {about}.name }}}}"),
        _ => format!(
            "{{% if {word} %}} ... {{% endif %}} / {{% for item in {word} %}} ... {{% endfor %}}"
        ),
    };
    let foreign = Foreign::of_handlebars(format!("{{{{#{word}}}}}"), instead);
    match word {
        "with" => foreign.advised(|instead| format!("Write the whole name each time: {instead}")),
        _ => foreign,
    }
}

/// Operators of JavaScript and the colon of Liquid.
fn operator(inside: &str) -> Option<Foreign> {
    for (sign, instead) in [("&&", "and"), ("||", "or"), ("===", "=="), ("!==", "!=")] {
        if inside.contains(sign) {
            return Some(Foreign {
                message: format!("{sign} is no operator of templates"),
                name: sign.to_owned(),
                instead: instead.to_owned(),
                advice: None,
            });
        }
    }
    let (_, filter) = inside.rsplit_once('|')?;
    let (name, argument) = filter.split_once(':')?;
    let name = name.trim();
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    let argument = excerpt(argument.trim().trim_end_matches(['%', '-']).trim());
    is_name.then(|| {
        let instead = format!("{name}({argument})");
        Foreign {
            message: format!("{name}: is Liquid"),
            name: format!("{name}:"),
            advice: Some(format!("Arguments are written in brackets: {instead}")),
            instead,
        }
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
