//! No accepted template and no accepted metadata cost more than a session's budget: known bombs, and a search for unknown ones.
//!
//! Nothing here measures time, but for one test that is run by hand in the release build. Memory is counted by the allocator.
#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail like tests"
)]

use std::fmt::Write as _;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use allocation_counter::AllocationInfo;
use persona_gateway::domain::{
    caller::{Fact, Facts},
    template::{Budget, Fence, RenderFault, Template, TemplateInput, TemplateKind},
};
use serde_json::{Value as Json, json};

/// The largest body of a mint, in bytes.
const MAX_BODY: usize = 64 * 1024;
/// What rendering may hold at a time, in bytes.
const MAX_MEMORY: u64 = 8 * 1024 * 1024;

/// What one session's texts took.
#[derive(Debug)]
struct Cost {
    outcome: Result<usize, RenderFault>,
    /// Units of the budget.
    spent: usize,
    memory: AllocationInfo,
}

/// The templates of one persona.
struct Texts {
    prompt: Template,
    greeting: Template,
    snippets: Vec<(String, Template)>,
}

impl Texts {
    fn prompt(source: &str) -> Self {
        Self {
            prompt: compile(source, TemplateKind::Prompt),
            greeting: compile("Hello", TemplateKind::Greeting),
            snippets: Vec::new(),
        }
    }

    /// As a mint does it: everything from one budget.
    fn render(&self, metadata: &Json) -> Cost {
        let mut budget = Budget::whole();
        let mut outcome = Ok(0);
        let memory = allocation_counter::measure(|| outcome = self.say(metadata, &mut budget));
        Cost {
            outcome,
            spent: budget.spent(),
            memory,
        }
    }

    /// How long that takes where nothing else gets in between: the best of some.
    fn time(&self, metadata: &Json) -> Duration {
        let once = || {
            let start = Instant::now();
            allocation_counter::opt_out(|| _ = self.say(metadata, &mut Budget::whole()));
            start.elapsed()
        };
        let best = (0..3).map(|_| once()).min().unwrap_or_default();
        if best < Duration::from_millis(4) {
            return best;
        }
        (0..8).map(|_| once()).min().unwrap_or(best)
    }

    fn say(&self, metadata: &Json, budget: &mut Budget) -> Result<usize, RenderFault> {
        let mut input = TemplateInput::new(Fence::new(b"session"))
            .user(&FACTS)
            .metadata(metadata);
        for (key, snippet) in &self.snippets {
            let said = snippet.render(&input, budget)?;
            input.add_snippet(key.as_str(), said);
        }
        let greeting = self.greeting.render(&input, budget)?;
        let prompt = self.prompt.render(&input, budget)?;
        Ok(greeting.text().len() + prompt.text().len())
    }
}

fn compile(source: &str, kind: TemplateKind) -> Template {
    Template::compile(source, kind).unwrap_or_else(|faults| panic!("{source}: {faults:?}"))
}

/// As large as the facts of a token get.
#[expect(clippy::unwrap_used, reason = "a number written in place")]
static FACTS: LazyLock<Facts> = LazyLock::new(|| {
    let roles = (0..100).map(|n| format!("role {n} {}", "r".repeat(30)));
    Facts::from([
        ("name".to_owned(), Fact::Text("Zoë O'Neil".to_owned())),
        ("motto".to_owned(), Fact::Text("ŉ".repeat(500))),
        (
            "roles".to_owned(),
            Fact::List(roles.map(Fact::Text).collect()),
        ),
        (
            "seats".to_owned(),
            Fact::Number(persona_gateway::domain::decimal::Decimal::parse("1e-7").unwrap()),
        ),
    ])
});

fn cost(source: &str, metadata: &Json) -> Cost {
    let cost = Texts::prompt(source).render(metadata);
    assert_bounded(&cost, source);
    cost
}

/// The promise: memory within its bound, and no byte of it that was not paid for.
fn assert_bounded(cost: &Cost, source: &str) {
    let told = || source.chars().take(500).collect::<String>();
    assert!(cost.spent <= Budget::WHOLE, "{cost:?} {}", told());
    assert!(cost.memory.bytes_max <= MAX_MEMORY, "{cost:?} {}", told());
    // A few fixed things, such as the stack of loops, are not counted.
    let paid = cost.spent as u64 + 4_096;
    assert!(cost.memory.bytes_total <= paid, "{cost:?} {}", told());
}

fn is_refused(cost: &Cost) -> bool {
    matches!(cost.outcome, Err(RenderFault::TooMuchWork { .. }))
}

// --- known bombs

#[test]
fn searching_for_a_long_loop_variable_again_and_again_ends_in_a_fault() {
    let source = format!(
        "{{% for x in [('{}')|replace('a', '{}')] %}}{{% for y in metadata.l %}}{}{{% endfor %}}{{% endfor %}}",
        "a".repeat(500),
        "b".repeat(500),
        "{% if 'a'|replace(x, '') %}{% endif %}".repeat(390),
    );
    let cost = cost(&source, &json!({ "l": vec![1; 100] }));
    // Nothing is as long as what is sought, so nothing is searched; the steps alone are too many.
    assert!(is_refused(&cost), "{cost:?}");
}

#[test]
fn replacing_in_a_long_note_again_and_again_ends_in_a_fault() {
    for call in [
        "replace(metadata.note, '')",
        "replace('b', metadata.note)",
        "replace('a', 'b')",
    ] {
        for text in ["metadata.note", "'a'"] {
            let once = format!("{{% if {text}|{call} %}}{{% endif %}}");
            let source = format!(
                "{{% for x in metadata.l %}}{{% for y in metadata.l %}}{}{{% endfor %}}{{% endfor %}}",
                once.repeat(200)
            );
            let metadata = json!({ "note": "a".repeat(50_000), "l": vec![1; 100] });
            let cost = cost(&source, &metadata);
            assert!(is_refused(&cost), "{source}: {cost:?}");
        }
    }
}

#[test]
fn snippets_prompt_and_greeting_draw_on_one_budget() {
    let third = "{% for x in metadata.l %}{% for y in metadata.l %}{% if 'needle' in metadata.note %}{% endif %}{% endfor %}{% endfor %}";
    let metadata = json!({ "note": "a".repeat(40), "l": vec!["1"; 70] });
    let alone = cost(third, &metadata);
    assert!(alone.outcome.is_ok(), "{alone:?}");
    let snippet = |key: &str| (key.to_owned(), compile(third, TemplateKind::Snippet));
    let mut texts = Texts::prompt("{{ snippets.a }}{{ snippets.b }}{{ snippets.c }}");
    texts.snippets = ["a", "b", "c"].map(snippet).into();
    let together = texts.render(&metadata);
    assert!(is_refused(&together), "{together:?}");
    assert_bounded(&together, third);
    texts.snippets.truncate(1);
    texts.prompt = compile(third, TemplateKind::Prompt);
    texts.greeting = compile(third, TemplateKind::Greeting);
    let divided = texts.render(&metadata);
    assert!(is_refused(&divided), "{divided:?}");
}

#[test]
fn a_long_loop_variable_is_shared_however_many_lists_it_stands_in() {
    let lists = format!("[{}]", ["x"; 64].join(", "));
    let source = format!(
        "{{% for x in [('{}')|replace('a', '{}')] %}}{}{{% endfor %}}",
        "a".repeat(500),
        "b".repeat(500),
        format!("{{% if {lists} %}}{{% endif %}}").repeat(40),
    );
    let cost = cost(&source, &json!({}));
    assert!(cost.outcome.is_ok(), "{cost:?}");
    assert!(cost.memory.bytes_max < 400_000, "{cost:?}");
}

#[test]
fn a_text_that_grows_too_much_is_never_built() {
    for source in [
        format!(
            "{{{{ '{}'|replace('a', '{}') }}}}",
            "a".repeat(8_000),
            "b".repeat(8_000)
        ),
        format!(
            "{{{{ metadata.l|join('{}'|replace('a', '{}')) }}}}",
            "a".repeat(500),
            "b".repeat(500)
        ),
        format!("{{{{ 'a'{} }}}}", "|replace('a', 'aaaaaaaaaa')".repeat(20)),
    ] {
        let cost = cost(&source, &json!({ "l": vec!["x"; 100] }));
        assert!(is_refused(&cost), "{cost:?}");
        assert!(cost.memory.bytes_max < 4_500_000, "{cost:?}");
    }
}

// --- honest prompts

#[test]
fn a_large_honest_prompt_takes_a_small_share() {
    let order = |n: usize| json!({ "id": n, "lines": [{ "sku": "A-1", "name": "A thing of some sort" }, { "sku": "B-2" }] });
    let metadata = json!({ "orders": (0..100).map(order).collect::<Vec<_>>(), "notes": "He was told that it works. ".repeat(300) });
    let source = format!(
        "{}\n{{{{ user.name|title }}}}{{{{ metadata.notes|truncate(500) }}}}{{{{ metadata.notes }}}}{{% if 'refund' in metadata.notes|lower %}}Refund!{{% endif %}}\n\
         {{% for order in metadata.orders %}}\n{{% if metadata.notes and metadata.orders|length > 3 and (metadata.orders|first).id == 0 %}}\n\
         {{{{ loop.index }}}}/{{{{ metadata.orders|length }}}}:{{% for line in order.lines %}} {{{{ line.sku }}}}{{{{ line.name|default('-')|upper }}}}{{% endfor %}};\n{{% endif %}}\n{{% endfor %}}",
        "Be kind to whoever calls, and brief. ".repeat(300),
    );
    let cost = cost(&source, &metadata);
    assert!(cost.outcome.is_ok(), "{cost:?}");
    assert!(cost.spent < Budget::WHOLE / 4, "{cost:?}");
    // As BUNDLES.md says of the largest source.
    let fixed = self::cost(&"Be kind and brief. ".repeat(800), &json!({}));
    assert!(
        fixed.outcome.is_ok() && fixed.spent < Budget::WHOLE / 50,
        "{fixed:?}"
    );
}

// --- the search

/// Choices of the grammar below, one after the other; the first of all where there are no more.
struct Genes<'g> {
    bytes: &'g [u8],
    at: usize,
    loops: usize,
}

impl Genes<'_> {
    fn pick(&mut self, choices: usize) -> usize {
        let gene = self.bytes.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        usize::from(gene) % choices
    }

    fn one_of<'s>(&mut self, choices: &[&'s str]) -> &'s str {
        let at = self.pick(choices.len());
        choices.get(at).copied().unwrap_or_default()
    }

    fn long(&mut self) -> String {
        let unit = self.one_of(&["a", "b", "ΐ", "ab", " ", "aab", "İ", "ŉ", "0", "\t"]);
        let times = [1, 2, 7, 30, 100, 500, 1_500][self.pick(7)];
        format!("('{}')", unit.repeat(times / unit.len().max(1) + 1))
    }

    fn leaf(&mut self) -> String {
        match self.pick(20) {
            0 => "metadata.note".into(),
            1 => "metadata.l".into(),
            2 => "metadata.texts".into(),
            3 => "metadata.keys".into(),
            4 => "metadata.deep".into(),
            5 => "metadata.odd".into(),
            6 => "metadata.gaps".into(),
            7 => "metadata".into(),
            8 => "user.roles".into(),
            9 => "user.motto".into(),
            10 => "user".into(),
            11..=13 if self.loops > 0 => "x".into(),
            14..=15 if self.loops > 1 => "y".into(),
            16 => self
                .one_of(&["(7)", "1.5", "none", "true", "''", "'a'", "loop.index"][..6])
                .into(),
            _ => self.long(),
        }
    }

    fn expr(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.leaf();
        }
        let a = self.expr(depth - 1);
        let shape = self.pick(34);
        if shape < 18 {
            let filter = self.one_of(&[
                "|upper",
                "|lower",
                "|title",
                "|capitalize",
                "|trim",
                "|first",
                "|last",
                "|length",
                "|items",
                "|join",
                "|truncate(20)",
                "|truncate(5000)",
                "|int",
                "|round(3)",
                "[1:]",
                "[-3:]",
                "[:-1]",
                "[-1]",
                "[0]",
                "|abs",
            ]);
            return format!("({a}{filter})");
        }
        let b = self.leaf();
        match shape {
            18 => format!("({a}|replace({b}, ''))"),
            19 => format!("({a}|replace('a', {b}))"),
            20 => format!("({a}|replace({b}, {a}))"),
            21 => format!("({a}|join({b}))"),
            22 => format!("({a}|truncate(9, false, {b}))"),
            23 => format!("({a} in {b})"),
            24 => format!("({b} in {a})"),
            25 => format!("({a} == {b})"),
            26 => format!("({a} < {b})"),
            27 => format!("[{}]", vec![a.as_str(); 1 + self.pick(60)].join(", ")),
            28 => format!("{{'k': {a}, 'l': {b}}}"),
            29 => format!("({a}[{b}])"),
            30 => format!("({a} or {b})"),
            31 => format!("({a}|default({b}, true))"),
            32 => format!("({a} is in({b}))"),
            _ => format!("[{a}, {b}]"),
        }
    }

    fn node(&mut self, depth: usize) -> String {
        let deep = 1 + self.pick(3);
        match self.pick(6) {
            0 | 1 if depth > 0 && self.loops < 2 => {
                let items = match self.pick(4) {
                    0 => "metadata.l".into(),
                    1 => format!("[{}]", self.expr(deep)),
                    2 => format!("{}|items", self.expr(1)),
                    _ => self.expr(deep),
                };
                let name = ["x", "y"][self.loops.min(1)];
                self.loops += 1;
                let body = self.nodes(depth - 1);
                self.loops -= 1;
                format!("{{% for {name} in {items} %}}{body}{{% endfor %}}")
            }
            2 if depth > 0 => {
                let condition = self.expr(deep);
                format!(
                    "{{% if {condition} %}}{}{{% endif %}}",
                    self.nodes(depth - 1)
                )
            }
            3 => format!("{{{{ {} }}}}", self.expr(deep)),
            4 => format!("{{% if {} %}}{{% endif %}}", self.expr(deep)),
            _ => "Text. ".into(),
        }
    }

    fn nodes(&mut self, depth: usize) -> String {
        let mut nodes = String::new();
        for _ in 0..=self.pick(3) {
            nodes += &self.node(depth);
        }
        let times = [1, 1, 3, 20, 400][self.pick(5)];
        let room = 12_000 / (self.loops + 1) / nodes.len().max(1);
        nodes.repeat(times.min(room).max(1))
    }

    /// Metadata as large as a body lets it be: one member takes most of it.
    fn metadata(&mut self) -> Json {
        let big = self.pick(8);
        let room = |at: usize| if at == big { 52_000 } else { 600 };
        let note = self.one_of(&["a", "ab", "aab", "ba"]);
        let mut json = json!({
            "note": note.repeat(room(0) / note.len()),
            "l": vec![1; room(1) / 2],
            "texts": vec!["aaaaaaaaab"; room(2) / 13],
            "odd": "ΐŉİ\u{e0041}🎉".repeat(room(3) / 14),
            "gaps": " \u{200d}\t".repeat(room(4) / 8),
            "few": vec!["a".repeat(room(5) / 100); 100],
        });
        let mut deep = json!("leaf");
        for _ in 0..28 {
            deep = json!({ "d": deep });
        }
        json["deep"] = json!(vec![deep; room(6) / 200]);
        let keys = (0..room(7) / 60).map(|n| (format!("{}{n}", "k".repeat(40)), json!("value")));
        json["keys"] = Json::Object(keys.collect());
        assert!(json.to_string().len() <= MAX_BODY);
        json
    }
}

/// A template and its metadata; `None` where the grammar went over a limit of templates.
fn grown(genes: &[u8]) -> Option<(String, Template, Json)> {
    let mut genes = Genes {
        bytes: genes,
        at: 0,
        loops: 0,
    };
    let metadata = genes.metadata();
    let source = genes.nodes(3);
    let template = Template::compile(&source, TemplateKind::Prompt).ok()?;
    Some((source, template, metadata))
}

/// Numbers that are the same in each run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % most as u64).expect("small")
    }

    fn genes(&mut self) -> Vec<u8> {
        (0..80).map(|_| self.next().to_le_bytes()[3]).collect()
    }
}

/// Climbs towards templates of the highest score.
fn search(tries: usize, seed: u64, mut score: impl FnMut(&str, &Texts, &Json) -> u64) {
    let mut dice = Dice(seed);
    let mut best: Vec<(u64, Vec<u8>)> = Vec::new();
    for turn in 0..tries {
        let genes = if best.is_empty() || turn % 3 == 0 {
            dice.genes()
        } else {
            let mut genes = best[dice.below(best.len())].1.clone();
            for _ in 0..=dice.below(4) {
                let at = dice.below(genes.len());
                genes[at] = dice.next().to_le_bytes()[3];
            }
            genes
        };
        let Some((source, prompt, metadata)) = grown(&genes) else {
            continue;
        };
        let texts = Texts {
            prompt,
            ..Texts::prompt("")
        };
        best.push((score(&source, &texts, &metadata), genes));
        best.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        best.truncate(12);
    }
}

#[test]
fn no_template_that_was_searched_for_costs_more_than_the_budget() {
    let mut dearest = 0;
    let mut refused = 0;
    search(250, 0x5EED, |source, texts, metadata| {
        let cost = texts.render(metadata);
        assert_bounded(&cost, source);
        dearest = dearest.max(cost.spent);
        refused += usize::from(is_refused(&cost));
        cost.spent as u64
    });
    // The search has found what it was to find: templates at the very end of the budget.
    assert_eq!(dearest, Budget::WHOLE);
    assert!(refused > 10, "{refused}");
}

#[test]
fn no_template_that_was_searched_for_builds_what_it_has_not_paid_for() {
    let mut most = 0;
    search(250, 0xB17E, |source, texts, metadata| {
        let cost = texts.render(metadata);
        assert_bounded(&cost, source);
        most = most.max(cost.memory.bytes_max);
        cost.memory.bytes_total * 1_000 / (cost.spent as u64 + 1)
    });
    assert!(most > 100_000, "{most}");
}

#[test]
#[ignore = "measures time: run it in the release build"]
fn no_template_that_was_searched_for_takes_ten_milliseconds() {
    let mut worst: Vec<(u128, usize, u64, String)> = Vec::new();
    for (round, by_price) in [(1, false), (2, true), (3, false), (4, true)] {
        search(200, 0x00C0_FFEE + round, |source, texts, metadata| {
            let cost = texts.render(metadata);
            let nanos = texts.time(metadata).as_nanos();
            // Short runs say little of the price of a unit.
            let price = nanos * 1_000 / (cost.spent as u128 + 200_000);
            worst.push((nanos, cost.spent, cost.memory.bytes_max, source.to_owned()));
            worst.sort_by_key(|(nanos, ..)| std::cmp::Reverse(*nanos));
            worst.truncate(10);
            u64::try_from(if by_price { price } else { nanos }).unwrap_or(u64::MAX)
        });
    }
    let mut told = String::new();
    for (nanos, spent, memory, source) in &worst {
        let source: String = source.chars().take(400).collect();
        writeln!(told, "{nanos} ns, {spent} units, {memory} bytes: {source}").expect("fits");
    }
    std::fs::write(std::env::temp_dir().join("template-budget.txt"), &told).expect("writes");
    let slowest = worst.first().map_or(0, |(nanos, ..)| *nanos);
    assert!(slowest < 10_000_000, "{told}");
}
