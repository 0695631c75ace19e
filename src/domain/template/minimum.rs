//! How little a text takes, whatever the values: what is over a limit even so can never be said to anybody.
//!
//! What has the same value with any input is evaluated; of the rest the least is taken: the shorter branch, no turn of a loop.

use std::collections::BTreeMap;

use super::{
    Fence, Size, Template, TemplateInput, TemplateKind,
    budget::Budget,
    eval::Eval,
    output::Page,
    program::{Expr, Node, Position},
    value::Val,
};

/// Units that looking at one template may cost. What is looked at later counts as nothing.
const MOST_LOOKED_AT: usize = 2 * Budget::WHOLE;
/// Units for each node or expression that is looked at.
const LOOK: usize = 20;

/// The least that a text takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MinimumCost {
    /// Of the output.
    pub size: Size,
    /// Of the [`Budget`].
    pub units: usize,
    /// Line and column of the first part that alone takes more than the whole budget. Whoever it is said to gets no session.
    pub never: Option<(usize, usize)>,
}

impl Template {
    /// The least that this template takes with these snippets.
    pub fn least(&self, snippets: &BTreeMap<&str, &Self>) -> MinimumCost {
        let nothing = BTreeMap::new();
        let included = snippets
            .iter()
            .filter(|(key, _)| self.snippets.iter().any(|used| used == *key));
        let least: BTreeMap<&str, MinimumCost> = included
            .map(|(key, snippet)| (*key, estimate(&snippet.nodes, snippet.kind, &nothing)))
            .collect();
        let units = least.values().map(|least| least.units);
        let units = units.fold(0, usize::saturating_add);
        let mut whole = estimate(&self.nodes, self.kind, &least);
        whole.units = whole.units.saturating_add(units);
        whole
    }
}

fn estimate(
    nodes: &[Node],
    kind: TemplateKind,
    snippets: &BTreeMap<&str, MinimumCost>,
) -> MinimumCost {
    let input = TemplateInput::new(Fence::new(&[]));
    let mut look = Estimator {
        kind,
        snippets,
        input: &input,
        locals: Vec::new(),
        loops: Vec::new(),
        left: MOST_LOOKED_AT,
        never: None,
    };
    let sum = look.nodes(nodes);
    MinimumCost {
        size: sum.size,
        units: sum.units,
        never: look.never,
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    size: Size,
    units: usize,
}

impl Sum {
    /// Of what costs more than there is.
    const NEVER: Self = Self::units(usize::MAX);

    const fn units(units: usize) -> Self {
        Self {
            size: Size { chars: 0, bytes: 0 },
            units,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            size: self.size.plus(other.size),
            units: self.units.saturating_add(other.units),
        }
    }

    /// Either of two.
    fn min(self, other: Self) -> Self {
        Self {
            size: self.size.min(other.size),
            units: self.units.min(other.units),
        }
    }
}

struct Estimator<'r> {
    kind: TemplateKind,
    snippets: &'r BTreeMap<&'r str, MinimumCost>,
    input: &'r TemplateInput<'r>,
    /// Loop variables; `None` where they depend on the input.
    locals: Vec<Option<Val<'r>>>,
    /// Position and length of the loops around; `None` where they depend on the input.
    loops: Vec<Option<(usize, usize)>>,
    left: usize,
    never: Option<Position>,
}

impl<'r> Estimator<'r> {
    fn nodes(&mut self, nodes: &'r [Node]) -> Sum {
        nodes
            .iter()
            .map(|node| self.node(node))
            .fold(Sum::default(), Sum::plus)
    }

    fn node(&mut self, node: &'r Node) -> Sum {
        if !self.goes_on() {
            return Sum::default();
        }
        match node {
            Node::Text(text) => Sum {
                size: Size::of_text(text),
                units: 0,
            },
            Node::Print(expr, at) => {
                let (sum, value) = self.expr(expr, *at);
                value.map_or(sum, |value| sum.plus(self.printed(&value)))
            }
            Node::Snippet(key) => Sum {
                size: self
                    .snippets
                    .get(key.as_ref())
                    .map_or_else(Size::default, |least| least.size),
                units: 0,
            },
            Node::If(branch) => {
                let (sum, value) = self.expr(&branch.condition, branch.at);
                sum.plus(match value {
                    Some(value) if value.is_true() => self.nodes(&branch.then),
                    Some(_) => self.nodes(&branch.otherwise),
                    None => self.nodes(&branch.then).min(self.nodes(&branch.otherwise)),
                })
            }
            Node::For(each) => {
                let (sum, value) = self.expr(&each.items, each.at);
                sum.plus(self.for_loop(each.names, value, &each.body, &each.empty))
            }
        }
    }

    fn for_loop(
        &mut self,
        names: usize,
        items: Option<Val<'r>>,
        body: &'r [Node],
        empty: &'r [Node],
    ) -> Sum {
        let Some(items) = items else {
            let turn = self.turn(&vec![None; names], None, body);
            return turn.min(self.nodes(empty));
        };
        let mut budget = Budget::whole();
        let items = items.iterate(&mut budget).unwrap_or_default();
        if items.is_empty() {
            return self.nodes(empty);
        }
        let length = items.len();
        let mut sum = Sum::default();
        for (at, item) in items.into_iter().enumerate() {
            let part = |at: usize| item.at(at, &mut Budget::whole()).ok();
            let locals = if names == 2 {
                vec![part(0), part(1)]
            } else {
                vec![Some(item)]
            };
            sum = sum.plus(self.turn(&locals, Some((at, length)), body));
        }
        sum
    }

    fn turn(
        &mut self,
        locals: &[Option<Val<'r>>],
        turn: Option<(usize, usize)>,
        body: &'r [Node],
    ) -> Sum {
        let outer = self.locals.len();
        self.locals.extend_from_slice(locals);
        self.loops.push(turn);
        let sum = self.nodes(body);
        self.loops.pop();
        self.locals.truncate(outer);
        sum
    }

    /// What an expression takes at least, and its value where that is the same with any input.
    fn expr(&mut self, expr: &'r Expr, at: Position) -> (Sum, Option<Val<'r>>) {
        if !self.goes_on() {
            return (Sum::default(), None);
        }
        if !self.is_known(expr) {
            return (self.parts(expr, at), None);
        }
        let mut budget = Budget::whole();
        let mut eval = Eval::new(self.input, &mut budget);
        let known = self.locals.iter();
        eval.locals = known
            .map(|local| local.clone().unwrap_or(Val::Absent))
            .collect();
        eval.loops = self
            .loops
            .iter()
            .map(|turn| turn.unwrap_or_default())
            .collect();
        let value = eval.expr(expr);
        self.left = self.left.saturating_sub(budget.spent());
        if let Ok(value) = value {
            return (Sum::units(budget.spent()), Some(value));
        }
        self.never = self.never.or(Some(at));
        (Sum::NEVER, None)
    }

    /// The parts of an expression that are evaluated with any input.
    fn parts(&mut self, expr: &'r Expr, at: Position) -> Sum {
        let mut all = |parts: &[&'r Expr]| {
            parts
                .iter()
                .map(|part| self.expr(part, at).0)
                .fold(Sum::default(), Sum::plus)
        };
        match expr {
            Expr::Attr(base, _) | Expr::Not(base) | Expr::Negate(base) => all(&[base]),
            // The other side may not be needed.
            Expr::And(left, _) | Expr::Or(left, _) => all(&[left]),
            Expr::Item(left, right) | Expr::Sum(_, left, right) => all(&[left, right]),
            Expr::Slice(base, start, stop) => {
                let bounds = [start, stop].into_iter().flatten().map(AsRef::as_ref);
                let parts: Vec<_> = std::iter::once(base.as_ref()).chain(bounds).collect();
                all(&parts)
            }
            Expr::Compare(first, rest) => {
                let next = rest.first().map(|(_, next)| next);
                let parts: Vec<_> = std::iter::once(first.as_ref()).chain(next).collect();
                all(&parts)
            }
            Expr::Choose {
                condition,
                then,
                otherwise,
            } => {
                let (sum, _) = self.expr(condition, at);
                let then = self.expr(then, at).0;
                let otherwise = otherwise.as_ref();
                let otherwise = otherwise.map_or_else(Sum::default, |expr| self.expr(expr, at).0);
                sum.plus(then.min(otherwise))
            }
            Expr::Filter(_, base, args) => {
                let args = args.iter().flatten();
                let parts: Vec<_> = std::iter::once(base.as_ref()).chain(args).collect();
                all(&parts)
            }
            Expr::Test(_, base, argument) => {
                let argument = argument.as_deref();
                let parts: Vec<_> = std::iter::once(base.as_ref()).chain(argument).collect();
                all(&parts)
            }
            Expr::List(items) => all(&items.iter().collect::<Vec<_>>()),
            Expr::Map(entries) => all(&entries.iter().map(|(_, value)| value).collect::<Vec<_>>()),
            Expr::None
            | Expr::Bool(_)
            | Expr::Number(_)
            | Expr::Text(_)
            | Expr::Root(_)
            | Expr::Local(_)
            | Expr::Loop(..) => Sum::default(),
        }
    }

    /// Whether an expression has the same value with any input.
    fn is_known(&mut self, expr: &Expr) -> bool {
        if !self.goes_on() {
            return false;
        }
        match expr {
            Expr::None | Expr::Bool(_) | Expr::Number(_) | Expr::Text(_) => true,
            Expr::Root(_) => false,
            Expr::Local(slot) => self.locals.get(*slot).is_some_and(Option::is_some),
            Expr::Loop(depth, _) => self.loops.get(*depth).is_some_and(Option::is_some),
            Expr::Attr(base, _) | Expr::Not(base) | Expr::Negate(base) => self.is_known(base),
            Expr::And(left, right)
            | Expr::Or(left, right)
            | Expr::Item(left, right)
            | Expr::Sum(_, left, right) => self.is_known(left) && self.is_known(right),
            Expr::Slice(base, start, stop) => {
                self.is_known(base)
                    && [start, stop]
                        .into_iter()
                        .flatten()
                        .all(|e| self.is_known(e))
            }
            Expr::Compare(first, rest) => {
                self.is_known(first) && rest.iter().all(|(_, next)| self.is_known(next))
            }
            Expr::Choose {
                condition,
                then,
                otherwise,
            } => {
                self.is_known(condition)
                    && self.is_known(then)
                    && otherwise.iter().all(|expr| self.is_known(expr))
            }
            Expr::Filter(_, base, args) => {
                self.is_known(base) && args.iter().flatten().all(|arg| self.is_known(arg))
            }
            Expr::Test(_, base, argument) => {
                self.is_known(base) && argument.iter().all(|arg| self.is_known(arg))
            }
            Expr::List(items) => items.iter().all(|item| self.is_known(item)),
            Expr::Map(entries) => entries.iter().all(|(_, value)| self.is_known(value)),
        }
    }

    fn printed(&mut self, value: &Val<'r>) -> Sum {
        let mut budget = Budget::whole();
        let Ok(mut page) = Page::new(self.kind, self.input, &mut budget) else {
            return Sum::default();
        };
        let before = budget.spent();
        if page.print(value, &mut budget).is_err() {
            return Sum::NEVER;
        }
        let units = budget.spent().saturating_sub(before);
        self.left = self.left.saturating_sub(units);
        Sum {
            size: page.size(),
            units,
        }
    }

    /// Whether there is anything left for looking.
    fn goes_on(&mut self) -> bool {
        self.left = self.left.saturating_sub(LOOK);
        self.left > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn least(source: &str) -> MinimumCost {
        least_with(source, &[])
    }

    fn least_with(source: &str, snippets: &[(&str, &str)]) -> MinimumCost {
        let compile = |source: &str, kind| Template::compile(source, kind).unwrap();
        let snippets: Vec<_> = snippets
            .iter()
            .map(|(key, source)| (*key, compile(source, TemplateKind::Snippet)))
            .collect();
        let snippets = snippets.iter().map(|(key, snippet)| (*key, snippet));
        compile(source, TemplateKind::Prompt).least(&snippets.collect())
    }

    fn bomb() -> String {
        format!(
            "'{}'|replace('a', '{}')",
            "a".repeat(8_000),
            "b".repeat(8_000)
        )
    }

    impl MinimumCost {
        /// Whether every rendering exceeds a limit.
        fn is_over(&self) -> bool {
            self.size.is_over() || self.units > Budget::WHOLE
        }
    }

    #[test]
    fn what_stands_under_a_condition_may_be_left_out_and_fixed_text_may_not() {
        let size = |source: &str| least(source).size.chars;
        assert_eq!(size("Hello {{ metadata.name }}."), 7);
        assert_eq!(size("{% if user.vip %}Good day{% else %}Hi{% endif %}"), 2);
        assert_eq!(size("{% for x in metadata.l %}{{ x }}, {% endfor %}"), 0);
        assert_eq!(
            size("{% for x in ['one', 'two'] %}{{ x }}, {% endfor %}"),
            10
        );
        assert_eq!(size("{{ 'abc'|upper }}{% if 1 > 2 %}never{% endif %}"), 3);
        assert!(!least("Hello {{ metadata.name }}.").is_over());
    }

    #[test]
    fn what_no_budget_is_enough_for_is_found_at_its_place() {
        for (source, at) in [
            (format!("Hello\n {{{{ {} }}}}", bomb()), (2, 5)),
            (format!("{{{{ metadata.x|default({}) }}}}", bomb()), (1, 4)),
            (
                format!("{{% if ({}) == user.name %}}{{% endif %}}", bomb()),
                (1, 8),
            ),
            (
                format!("{{% for x in [{}] %}}{{% endfor %}}", bomb()),
                (1, 8),
            ),
            (
                format!(
                    "{{% for x in ['{}'] %}}\n{{{{ x|replace('a', '{}') }}}}{{% endfor %}}",
                    "a".repeat(4_000),
                    "b".repeat(4_000)
                ),
                (2, 4),
            ),
        ] {
            let least = least(&source);
            assert!(least.is_over(), "{least:?}");
            assert_eq!(least.never, Some(at));
        }
    }

    #[test]
    fn a_part_that_only_some_would_be_told_is_found_and_the_whole_can_still_be_said() {
        let least = least(&format!(
            "{{% if user.vip %}}{{{{ {} }}}}{{% endif %}}",
            bomb()
        ));
        assert!(!least.is_over());
        assert_eq!(least.never, Some((1, 21)));
    }

    #[test]
    fn many_parts_that_are_dear_together_can_never_be_said() {
        let part = format!(
            "{{{{ '{}'|replace('a', '{}') }}}}",
            "a".repeat(500),
            "b".repeat(500)
        );
        let few = least(&part.repeat(2));
        assert!(!few.is_over() && few.units > 500_000, "{few:?}");
        let many = least(&part.repeat(15));
        assert!(many.is_over() && many.never.is_none(), "{many:?}");
    }

    #[test]
    fn fixed_text_that_is_too_long_with_its_snippets_can_never_be_said() {
        let long = "a".repeat(12_000);
        let snippets = [("s", long.as_str())];
        assert!(!least_with("{{ snippets.s }}{{ snippets.s }}", &snippets).is_over());
        assert!(
            least_with(
                "{{ snippets.s }}{{ snippets.s }}{{ snippets.s }}",
                &snippets
            )
            .is_over()
        );
        let some = "{% if user.vip %}{{ snippets.s }}{{ snippets.s }}{{ snippets.s }}{% endif %}";
        assert!(!least_with(some, &snippets).is_over());
    }

    #[test]
    fn looking_at_a_template_ends_however_much_it_holds() {
        let part = format!(
            "{{% if user.a %}}{{{{ '{}'|replace('a', '{}') }}}}{{% endif %}}",
            "a".repeat(400),
            "b".repeat(400)
        );
        assert!(!least(&part.repeat(18)).is_over());
        let list = format!("[{}]", ["1"; 64].join(","));
        let loops = format!(
            "{{% for x in {list} %}}{{% for y in {list} %}}{}{{% endfor %}}{{% endfor %}}",
            "{{ x }}".repeat(2_000)
        );
        assert!(least(&loops).is_over());
    }
}
