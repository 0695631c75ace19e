//! How large a prompt can get, whatever the values: an upper bound from the program, the caps and what is known of the
//! values. Never below what a rendering gives; above it where the program is hard to foresee.

use std::collections::BTreeMap;

use super::Template;
use super::fence::Fence;
use super::filters::Filter;
use super::input::{Root, Trust};
use super::output::{CALLER_CHARS, CALLER_TOTAL_CHARS, FACT_CHARS, TENANT_CHARS};
use super::program::{Expr, Node};
use super::size::Size;
use super::value::MAX_ITEMS;

/// UTF-8 has no more for a character.
const BYTES_PER_CHAR: usize = 4;
/// The longest number that is printed, in characters.
const NUMBER_CHARS: usize = 45;
/// More than a flag, or a position in a loop.
const SHORT_CHARS: usize = 25;
/// This many characters at most become of one in another case, and as many in Unicode's form NFC (UAX 15).
const GROWTH: usize = 3;
/// The marks around a value, with a space on either side: characters, and bytes.
const FENCE: Size = Size {
    chars: 22,
    bytes: 30,
};

/// What is known of values before there are any.
pub trait ValueLimits {
    /// The longest text at a path such as `metadata.orders.*.id`, in characters.
    fn max_chars(&self, path: &str) -> Option<usize>;
    /// Most items of the list at a path.
    fn max_items(&self, path: &str) -> Option<usize>;
}

impl Template {
    /// The largest prompt that this template can give with these snippets. A larger one than [`Size::CAP`] is refused when
    /// it is rendered.
    pub fn largest(&self, snippets: &BTreeMap<&str, &Self>, known: &dyn ValueLimits) -> Size {
        let sum = self.sum(snippets, known);
        let mut size = sum.size();
        if sum.fenced {
            let explanation = Fence::new(&[]).explanation().len() + 2;
            size = size.plus(Size::of_chars(explanation, 1));
        }
        size
    }

    /// Whether nothing but white space comes out, whatever the values are.
    pub fn is_always_blank(
        &self,
        snippets: &BTreeMap<&str, &Self>,
        known: &dyn ValueLimits,
    ) -> bool {
        !self.sum(snippets, known).visible
    }

    fn sum(&self, snippets: &BTreeMap<&str, &Self>, known: &dyn ValueLimits) -> Sum {
        let sizes = snippets
            .iter()
            .map(|(key, snippet)| {
                let sum = sum_of(&snippet.nodes, &BTreeMap::new(), known);
                (*key, sum)
            })
            .collect();
        sum_of(&self.nodes, &sizes, known)
    }
}

fn sum_of(nodes: &[Node], snippets: &BTreeMap<&str, Sum>, known: &dyn ValueLimits) -> Sum {
    let mut bound = Estimator {
        snippets,
        known,
        locals: Vec::new(),
    };
    bound.nodes(nodes)
}

/// The size of some nodes: caller-supplied text apart, since a prompt has one budget for all of it.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    rest: Size,
    caller_chars: usize,
    fenced: bool,
    /// Whether it may hold more than white space.
    visible: bool,
}

impl Sum {
    fn plus(self, other: Self) -> Self {
        Self {
            rest: self.rest.plus(other.rest),
            caller_chars: self.caller_chars.saturating_add(other.caller_chars),
            fenced: self.fenced || other.fenced,
            visible: self.visible || other.visible,
        }
    }

    fn times(self, times: usize) -> Self {
        Self {
            rest: self.rest.times(times),
            caller_chars: self.caller_chars.saturating_mul(times),
            ..self
        }
    }

    /// Either of two.
    fn max(self, other: Self) -> Self {
        Self {
            rest: self.rest.max(other.rest),
            caller_chars: self.caller_chars.max(other.caller_chars),
            fenced: self.fenced || other.fenced,
            visible: self.visible || other.visible,
        }
    }

    fn size(self) -> Size {
        let caller = self.caller_chars.min(CALLER_TOTAL_CHARS);
        self.rest.plus(Size::of_chars(caller, BYTES_PER_CHAR))
    }
}

/// The longest text that a value prints as, by whose words it may turn out to be.
#[derive(Debug, Clone, Copy, Default)]
struct Longest {
    tenant: usize,
    issuer: usize,
    caller: usize,
}

impl Longest {
    const NUMBER: Self = Self::tenant(NUMBER_CHARS);

    const fn tenant(chars: usize) -> Self {
        Self {
            tenant: chars,
            issuer: 0,
            caller: 0,
        }
    }

    fn new(trust: Trust, chars: Option<usize>) -> Self {
        let chars = |cap: usize| chars.map_or(cap, |chars| chars.min(cap));
        // Cleaning brings others' text into Unicode's form NFC.
        let cleaned = |cap: usize| chars(cap).saturating_mul(GROWTH).min(cap);
        match trust {
            Trust::Tenant => Self::tenant(chars(TENANT_CHARS)),
            Trust::Issuer => Self {
                tenant: NUMBER_CHARS,
                issuer: cleaned(FACT_CHARS),
                caller: 0,
            },
            Trust::Caller => Self {
                tenant: NUMBER_CHARS,
                issuer: 0,
                caller: cleaned(CALLER_CHARS),
            },
        }
    }

    /// Either of two.
    fn max(self, other: Self) -> Self {
        Self {
            tenant: self.tenant.max(other.tenant),
            issuer: self.issuer.max(other.issuer),
            caller: self.caller.max(other.caller),
        }
    }

    /// Put together or repeated: as long as the caps let it be.
    fn grown(self) -> Self {
        let up_to = |chars: usize, cap: usize| if chars > 0 { cap } else { 0 };
        Self {
            tenant: up_to(self.tenant, TENANT_CHARS),
            issuer: up_to(self.issuer, FACT_CHARS),
            caller: up_to(self.caller, CALLER_CHARS),
        }
    }

    /// All of it in another case.
    fn in_other_case(self) -> Self {
        let up_to = |chars: usize, cap: usize| chars.saturating_mul(GROWTH).min(cap);
        Self {
            tenant: up_to(self.tenant, TENANT_CHARS),
            issuer: up_to(self.issuer, FACT_CHARS),
            caller: up_to(self.caller, CALLER_CHARS),
        }
    }

    /// Printed into a prompt.
    fn printed(self) -> Sum {
        let fenced = self.issuer > 0 || self.caller > 0;
        let mut rest = Size::of_chars(self.tenant, BYTES_PER_CHAR);
        if fenced {
            rest = rest.max(FENCE.plus(Size::of_chars(self.issuer, BYTES_PER_CHAR)));
        }
        Sum {
            rest,
            caller_chars: self.caller,
            fenced,
            visible: fenced || self.tenant > 0,
        }
    }
}

/// A loop variable.
struct Local {
    path: Option<String>,
    longest: Longest,
}

struct Estimator<'a> {
    snippets: &'a BTreeMap<&'a str, Sum>,
    known: &'a dyn ValueLimits,
    locals: Vec<Local>,
}

impl Estimator<'_> {
    fn nodes(&mut self, nodes: &[Node]) -> Sum {
        nodes
            .iter()
            .map(|node| self.node(node))
            .fold(Sum::default(), Sum::plus)
    }

    fn node(&mut self, node: &Node) -> Sum {
        match node {
            Node::Text(text) => Sum {
                rest: Size::of_text(text),
                visible: !text.trim().is_empty(),
                ..Sum::default()
            },
            Node::Print(Expr::Text(text), _) if text.trim().is_empty() => Sum::default(),
            Node::Print(expr, _) => self.longest(expr).printed(),
            // A snippet that is printed twice repeats what it got of the caller's text.
            Node::Snippet(key) => {
                // A missing snippet may be written later; that it is missing is reported elsewhere.
                let missing = Sum {
                    visible: true,
                    ..Sum::default()
                };
                let sum = self.snippets.get(key.as_ref()).copied().unwrap_or(missing);
                Sum {
                    rest: sum.size(),
                    caller_chars: 0,
                    ..sum
                }
            }
            Node::If(branch) => self.nodes(&branch.then).max(self.nodes(&branch.otherwise)),
            Node::For(each) => self.for_loop(each.names, &each.items, &each.body, &each.empty),
        }
    }

    fn for_loop(&mut self, names: usize, items: &Expr, body: &[Node], empty: &[Node]) -> Sum {
        let path = self.path(items);
        let most = match items {
            Expr::List(items) => Some(items.len()),
            Expr::Map(entries) => Some(entries.len()),
            _ => path.as_deref().and_then(|path| self.known.max_items(path)),
        };
        let item_path = path.filter(|_| names == 1).map(|path| format!("{path}.*"));
        let longest = match &item_path {
            Some(path) => self.longest_at(path),
            None => self.longest(items).grown(),
        };
        let outer = self.locals.len();
        for _ in 0..names {
            self.locals.push(Local {
                path: item_path.clone(),
                longest,
            });
        }
        let once = self.nodes(body);
        self.locals.truncate(outer);
        let all = once.times(most.map_or(MAX_ITEMS, |most| most.min(MAX_ITEMS)));
        all.max(self.nodes(empty))
    }

    fn longest(&self, expr: &Expr) -> Longest {
        match expr {
            Expr::None => Longest::default(),
            Expr::Text(text) => Longest::tenant(text.chars().count()),
            Expr::Bool(_) | Expr::Loop(..) | Expr::Not(_) | Expr::Compare(..) | Expr::Test(..) => {
                Longest::tenant(SHORT_CHARS)
            }
            Expr::Number(_) | Expr::Negate(_) | Expr::Sum(..) => Longest::NUMBER,
            Expr::Root(root) => self.longest_at(root.name()),
            Expr::Local(slot) => self
                .locals
                .get(*slot)
                .map_or_else(Longest::default, |local| local.longest),
            Expr::Attr(base, _) | Expr::Item(base, _) => match self.path(expr) {
                Some(path) => self.longest_at(&path),
                None => self.longest(base).grown(),
            },
            Expr::Slice(base, ..) => self.longest(base),
            Expr::And(left, right) | Expr::Or(left, right) => {
                self.longest(left).max(self.longest(right))
            }
            Expr::Choose {
                then, otherwise, ..
            } => {
                let otherwise = otherwise.as_deref();
                self.longest(then)
                    .max(otherwise.map_or_else(Longest::default, |expr| self.longest(expr)))
            }
            Expr::Filter(filter, base, args) => self.filtered(*filter, base, args),
            Expr::List(items) => items
                .iter()
                .map(|item| self.longest(item))
                .fold(Longest::NUMBER, Longest::max)
                .grown(),
            Expr::Map(entries) => entries
                .iter()
                .map(|(_, value)| self.longest(value))
                .fold(Longest::NUMBER, Longest::max)
                .grown(),
        }
    }

    fn filtered(&self, filter: Filter, base: &Expr, args: &[Option<Expr>]) -> Longest {
        let base = self.longest(base);
        let args = args.iter().flatten();
        let with_args = || args.map(|arg| self.longest(arg)).fold(base, Longest::max);
        match filter {
            Filter::Abs | Filter::Int | Filter::Length | Filter::Round => base.max(Longest::NUMBER),
            Filter::Trim | Filter::First | Filter::Last => base,
            Filter::Default | Filter::Truncate => with_args(),
            Filter::Capitalize | Filter::Lower | Filter::Title | Filter::Upper => {
                base.in_other_case()
            }
            Filter::Items | Filter::Join | Filter::Replace => with_args().grown(),
        }
    }

    /// The dotted path of a place, with `*` for items of lists.
    fn path(&self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Root(root) => Some(root.name().to_owned()),
            Expr::Local(slot) => self.locals.get(*slot)?.path.clone(),
            Expr::Attr(base, name) => Some(format!("{}.{name}", self.path(base)?)),
            Expr::Item(base, key) => match key.as_ref() {
                Expr::Text(name) => Some(format!("{}.{name}", self.path(base)?)),
                _ => Some(format!("{}.*", self.path(base)?)),
            },
            _ => None,
        }
    }

    fn longest_at(&self, path: &str) -> Longest {
        let root = path.split('.').next().and_then(Root::parse);
        root.map_or_else(Longest::default, |root| {
            Longest::new(root.trust(), self.known.max_chars(path))
        })
    }
}

#[cfg(test)]
mod tests;
