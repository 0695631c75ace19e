use proptest::prelude::*;
use serde_json::json;

use super::super::{Budget, TemplateInput, TemplateKind};
use super::*;
use crate::domain::caller::{Fact, Facts};

/// Nothing is known.
#[derive(Debug, Clone, Copy)]
struct NoLimits;

impl ValueLimits for NoLimits {
    fn max_chars(&self, _path: &str) -> Option<usize> {
        None
    }

    fn max_items(&self, _path: &str) -> Option<usize> {
        None
    }
}

fn compiled(source: &str) -> Template {
    Template::compile(source, TemplateKind::Prompt).unwrap()
}

fn largest(source: &str) -> Size {
    compiled(source).largest(&BTreeMap::new(), &NoLimits)
}

/// Up to three items, of five characters each.
struct Few;

impl ValueLimits for Few {
    fn max_chars(&self, _path: &str) -> Option<usize> {
        Some(5)
    }

    fn max_items(&self, _path: &str) -> Option<usize> {
        Some(3)
    }
}

#[test]
fn fixed_text_is_as_large_as_it_is() {
    assert_eq!(largest("Grüezi."), Size { chars: 7, bytes: 8 });
    let longer = largest("{% if user.vip %}Good day, madam.{% else %}Hi.{% endif %}");
    assert_eq!(longer.chars, 16);
}

#[test]
fn all_that_callers_send_has_one_budget() {
    let one = largest("{{ metadata.a }}").chars;
    let many = largest("{% for a in metadata.list %}{{ a }}{% endfor %}").chars;
    assert!((2_000..2_500).contains(&one), "{one}");
    assert!((8_000 + 2_200..13_000).contains(&many), "{many}");
}

#[test]
fn what_a_schema_tells_makes_the_bound_smaller() {
    let loops = compiled("{% for a in metadata.list %}{{ a }}{% endfor %}");
    let largest = loops.largest(&BTreeMap::new(), &Few).chars;
    assert!((3 * 27..400).contains(&largest), "{largest}");
}

#[test]
fn loops_inside_loops_go_over_the_cap() {
    let nested =
        "{% for a in metadata.x %}{% for b in a %}Item {{ loop.index }}.{% endfor %}{% endfor %}";
    assert!(largest(nested).is_over());
    assert!(!largest("Be kind to {{ user.name }}.").is_over());
}

#[test]
fn snippets_count_each_time_they_are_printed() {
    let snippet = Template::compile("Be brief. ", TemplateKind::Snippet).unwrap();
    let prompt = compiled("{{ snippets.s }}{{ snippets.s }}");
    let snippets = BTreeMap::from([("s", &snippet)]);
    assert_eq!(prompt.largest(&snippets, &NoLimits).chars, 20);
}

#[test]
fn what_can_only_come_out_blank_is_known_to() {
    let snippet = Template::compile(" ", TemplateKind::Snippet).unwrap();
    let snippets = BTreeMap::from([("s", &snippet)]);
    let blank = |source: &str| compiled(source).is_always_blank(&snippets, &NoLimits);
    for source in [
        "",
        " \n",
        "{# note #}",
        "{{ '' }}",
        "{{ none }} {{ ' ' }}",
        "{{ snippets.s }}",
        "{% if user.vip %} {% endif %}",
    ] {
        assert!(blank(source), "{source}");
    }
    for source in [
        "a",
        "{{ user.name }}",
        "{{ 1 }}",
        "{% if user.vip %}a{% endif %}",
        "{% for x in metadata.l %}{{ x }}{% endfor %}",
    ] {
        assert!(!blank(source), "{source}");
    }
}

fn sources() -> impl Strategy<Value = String> {
    let value = prop::sample::select(vec![
        "user.name",
        "user.roles",
        "metadata.text",
        "metadata.list",
        "metadata.number",
        "preferences.tone or user.name",
        "metadata.text|upper",
        "metadata.list|join(', and also ')",
        "metadata.text|replace('a', 'bbbb')",
        "tenant.name|truncate(4)",
        "{'a': 'one', 'b': 'three'}[metadata.key]",
        "metadata",
        "[metadata.text, 'x', tenant.name]",
        "metadata.number + 1",
        "metadata.text|default('nothing at all')",
        "'yes' if user.vip else metadata.text[:10]",
        "snippets.s",
    ]);
    let print = value.prop_map(|value| format!("{{{{ {value} }}}}"));
    let node = prop_oneof![print, "[a-zé ]{0,12}"];
    let body = prop::collection::vec(node, 0..5).prop_map(|parts| parts.concat());
    prop_oneof![
        body.clone(),
        body.clone()
            .prop_map(|body| format!("{{% for i in metadata.list %}}{{{{ i }}}}{body}{{% endfor %}}")),
        (body.clone(), body.clone()).prop_map(|(a, b)| format!(
            "{{% if metadata.number > 3 %}}{a}{{% else %}}{b}{{% endif %}}{a}"
        )),
        body.prop_map(|body| format!(
            "{{% for k, v in metadata|items %}}{{{{ k }}}}={{{{ v }}}}{body}{{% else %}}none{{% endfor %}}"
        )),
    ]
}

/// What the property below sends: lists of three items, texts of sixty characters.
struct Short;

impl ValueLimits for Short {
    fn max_chars(&self, path: &str) -> Option<usize> {
        matches!(path, "metadata.text" | "metadata.list.*").then_some(60)
    }

    fn max_items(&self, path: &str) -> Option<usize> {
        (path == "metadata.list").then_some(3)
    }
}

proptest! {
    /// Characters that are more in another case, and more or fewer in Unicode's form NFC.
    #[test]
    fn no_prompt_is_larger_than_a_schema_lets_it_be(
        filter in prop::sample::select(vec![
            "", "|upper", "|lower", "|title", "|capitalize", "|trim", "|truncate(3)", "|truncate(1, true, 'more')", "|upper|lower", "|default('-')",
        ]),
        text in prop_oneof![
            "[a-zßŉΐİ\u{958}\u{1d160}\u{fb2c}e\u{301} ]{0,60}",
            "[ßŉΐİ\u{958}\u{1d160}\u{fb2c}]".prop_map(|one| one.repeat(60)),
        ],
        list in prop::collection::vec("[a-zßŉΐİ\u{958}\u{1d160} ]{0,60}", 0..4),
    ) {
        let prompt = compiled(&format!(
            "{{{{ metadata.text{filter} }}}}{{% for x in metadata.list %}}{{{{ x{filter} }}}}{{% endfor %}}"
        ));
        let metadata = json!({ "text": text, "list": list });
        let input = TemplateInput::new(Fence::new(b"seed")).metadata(&metadata);
        let largest = prompt.largest(&BTreeMap::new(), &Short);
        let rendered = prompt.render(&input, &mut Budget::whole()).unwrap();
        prop_assert!(rendered.text().chars().count() <= largest.chars, "{} of {}", rendered.text(), largest.chars);
        prop_assert!(rendered.text().len() <= largest.bytes);
    }

    #[test]
    fn no_prompt_is_larger_than_the_bound(
        source in sources(),
        text in "[a-zß ]{0,3000}",
        list in prop::collection::vec("[a-zİ ]{0,200}", 0..120),
        number in 0..9_i64,
        name in "[A-Zé!. ]{0,300}",
    ) {
        let prompt = compiled(&source);
        let snippet = Template::compile("Say {{ metadata.text }}.", TemplateKind::Snippet).unwrap();
        let snippets = BTreeMap::from([("s", &snippet)]);
        let facts = Facts::from([
            ("name".to_owned(), Fact::Text(name.clone())),
            ("roles".to_owned(), Fact::List(vec![Fact::Text(name), Fact::Text("b".into())])),
        ]);
        let metadata = json!({ "text": text, "list": list, "number": number, "key": "b" });
        let (tenant, preferences) = (json!({ "name": "Acme" }), json!({ "tone": text }));
        let mut input = TemplateInput::new(Fence::new(b"seed"))
            .user(&facts)
            .metadata(&metadata)
            .preferences(&preferences)
            .tenant(&tenant);
        let said = snippet.render(&input, &mut Budget::whole()).unwrap();
        input.add_snippet("s", said);
        let largest = prompt.largest(&snippets, &NoLimits);
        match prompt.render(&input, &mut Budget::whole()) {
            Ok(rendered) => {
                prop_assert!(rendered.text().chars().count() <= largest.chars, "{}", source);
                prop_assert!(rendered.text().len() <= largest.bytes, "{}", source);
            }
            Err(super::super::RenderFault::TooLong { .. }) => prop_assert!(largest.is_over(), "{}", source),
            Err(_) => {}
        }
    }
}
