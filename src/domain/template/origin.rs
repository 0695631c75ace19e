//! Where each piece of a rendered text comes from. Noted only where somebody asks for it, which no mint does.
//!
//! Notes have a budget of their own and a largest number of pieces, and never fail a rendering: text for which nothing is left is of
//! unknown origin.

use std::sync::Arc;

use super::{
    budget::Budget, eval::Eval, fault::RenderFault, filters::Filter, input::Root, program::Expr,
    value::Val,
};

/// Most pieces of a text; what comes after them is one.
const MAX_PIECES: usize = 2_000;
/// Longest path, in bytes; a deeper one is shown by its beginning.
const MAX_PATH_BYTES: usize = 256;
/// Most sources of one value that are distinguished.
const MAX_SOURCES: usize = 8;

/// Whose words a piece of a rendered text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The template's own words, or a value written in it.
    Template,
    /// A value that the template prints.
    Value(Source),
    /// The gateway's: marks around values, and the sentence that explains them.
    Gateway,
    /// Unknown: the text has too many pieces, or finding out takes too long.
    Unknown,
}

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The top-level name.
    pub root: Root,
    /// Its dotted path, `*` for the items of a list: `metadata.orders.*.id`. Of what a filter made, the path of what it was made of.
    pub path: Arc<str>,
}

/// A piece of a rendered text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The text, never empty. All pieces in their order are the whole.
    pub text: String,
    /// Whose words it is.
    pub origin: Origin,
    /// The snippet that has or prints it; `None` of the template itself.
    pub snippet: Option<Arc<str>>,
}

/// A piece of a text, by its end in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    at: usize,
    origin: Origin,
    snippet: Option<Arc<str>>,
}

/// The notes on one text while it grows.
#[derive(Debug)]
pub(super) struct Notes {
    ends: Vec<End>,
    /// Of the value that is being printed.
    printing: Option<Origin>,
    /// Of the loops' variables.
    locals: Vec<Sources>,
    budget: Budget,
}

/// The places that a value was made of.
type Sources = Vec<ValueSource>;

#[derive(Debug, Clone, PartialEq, Eq)]
struct ValueSource {
    source: Source,
    /// Made by a filter or put together: what is in it has no path of its own.
    made: bool,
}

impl Notes {
    pub(super) fn new() -> Self {
        Self {
            ends: Vec::new(),
            printing: None,
            locals: Vec::new(),
            budget: Budget::whole(),
        }
    }

    /// The value of this expression is printed next, until [`Self::printed`].
    pub(super) fn printing<'r>(
        &mut self,
        expr: &'r Expr,
        value: &Val<'r>,
        eval: &mut Eval<'r, '_>,
    ) {
        let sources = self.look(eval, |look| look.sources(expr));
        self.printing = Some(sources.map_or(Origin::Unknown, |sources| fitting(sources, value)));
    }

    pub(super) fn printed(&mut self) {
        self.printing = None;
    }

    /// Names of a loop begin to stand for the item at this position of a list.
    pub(super) fn enter<'r>(
        &mut self,
        names: usize,
        items: &'r Expr,
        at: usize,
        eval: &mut Eval<'r, '_>,
    ) {
        let sources = self.look(eval, |look| look.item(items, at));
        let sources = sources.unwrap_or_default();
        self.locals.extend(std::iter::repeat_n(sources, names));
    }

    pub(super) fn leave(&mut self, names: usize) {
        let left = self.locals.len().saturating_sub(names);
        self.locals.truncate(left);
    }

    /// Text was added, up to `end`.
    pub(super) fn added(&mut self, end: usize) {
        let origin = self.printing.clone().unwrap_or(Origin::Template);
        self.note(end, origin, None);
    }

    /// The gateway's own text was added, up to `end`.
    pub(super) fn added_by_gateway(&mut self, end: usize) {
        self.note(end, Origin::Gateway, None);
    }

    /// A snippet's text was added at `start`.
    pub(super) fn added_snippet(&mut self, start: usize, key: &str, ends: &[End]) {
        let key: Arc<str> = key.into();
        for end in ends {
            let at = start.saturating_add(end.at);
            self.note(at, end.origin.clone(), Some(key.clone()));
        }
    }

    pub(super) fn into_ends(self) -> Vec<End> {
        self.ends
    }

    fn note(&mut self, end: usize, origin: Origin, snippet: Option<Arc<str>>) {
        let full = self.ends.len() >= MAX_PIECES;
        match self.ends.last_mut() {
            Some(last) if end <= last.at => {}
            Some(last) if last.origin == origin && last.snippet == snippet => last.at = end,
            Some(last) if full => {
                *last = End {
                    at: end,
                    origin: Origin::Unknown,
                    snippet: None,
                };
            }
            None if end == 0 => {}
            _ => self.ends.push(End {
                at: end,
                origin,
                snippet,
            }),
        }
    }

    /// Looks where something comes from, at the notes' own expense.
    fn look<'r>(
        &mut self,
        eval: &mut Eval<'r, '_>,
        look: impl FnOnce(&mut OriginSearch<'r, '_, '_>) -> Result<Sources, RenderFault>,
    ) -> Option<Sources> {
        std::mem::swap(eval.budget, &mut self.budget);
        let found = look(&mut OriginSearch {
            eval,
            locals: &self.locals,
        });
        std::mem::swap(eval.budget, &mut self.budget);
        found.ok()
    }
}

pub(super) fn pieces(text: &str, ends: &[End]) -> Vec<Piece> {
    let mut start = 0;
    let piece = |end: &End| {
        let piece = text.get(start..end.at).unwrap_or_default().to_owned();
        start = end.at;
        Piece {
            text: piece,
            origin: end.origin.clone(),
            snippet: end.snippet.clone(),
        }
    };
    ends.iter().map(piece).collect()
}

/// Of all that a value was made of, the first that is as far trusted as the value. Numbers and flags are trusted whoever sent them,
/// so that says nothing of theirs.
fn fitting(mut sources: Sources, value: &Val<'_>) -> Origin {
    let is_bare = matches!(value, Val::Bool(_) | Val::Number(_));
    let fits = |found: &ValueSource| is_bare || found.source.root.trust() == value.trust();
    let at = sources.iter().position(fits).unwrap_or(0);
    if at < sources.len() {
        Origin::Value(sources.swap_remove(at).source)
    } else {
        Origin::Template
    }
}

/// Follows an expression to what its value was made of. Where it chooses between two, the choice is evaluated again.
struct OriginSearch<'r, 'e, 'b> {
    eval: &'e mut Eval<'r, 'b>,
    locals: &'e [Sources],
}

impl<'r> OriginSearch<'r, '_, '_> {
    /// The expression that gives the value, of one that chooses.
    fn chosen(&mut self, mut expr: &'r Expr) -> Result<&'r Expr, RenderFault> {
        loop {
            self.eval.budget.step()?;
            expr = match expr {
                Expr::And(left, right) if self.eval.expr(left)?.is_true() => right,
                Expr::Or(left, right) if !self.eval.expr(left)?.is_true() => right,
                Expr::And(left, _) | Expr::Or(left, _) => left,
                Expr::Choose {
                    condition, then, ..
                } if self.eval.expr(condition)?.is_true() => then,
                Expr::Choose { otherwise, .. } => otherwise.as_deref().unwrap_or(&Expr::None),
                Expr::Filter(Filter::Default, base, args) if self.is_missing(base, args)? => {
                    args.first().and_then(Option::as_ref).unwrap_or(&Expr::None)
                }
                Expr::Filter(Filter::Default, base, _) => base,
                Expr::Filter(Filter::First, base, _) => match self.chosen(base)? {
                    Expr::List(items) => items.first().unwrap_or(&Expr::None),
                    _ => return Ok(expr),
                },
                Expr::Filter(Filter::Last, base, _) => match self.chosen(base)? {
                    Expr::List(items) => items.last().unwrap_or(&Expr::None),
                    _ => return Ok(expr),
                },
                Expr::Attr(base, name) => match self.chosen(base)? {
                    Expr::Map(entries) => entry(entries, name),
                    _ => return Ok(expr),
                },
                Expr::Item(base, key) => match (self.chosen(base)?, &**key) {
                    (Expr::Map(entries), Expr::Text(name)) => entry(entries, name),
                    (Expr::List(items), Expr::Number(at)) => {
                        match at.as_i64().and_then(|at| usize::try_from(at).ok()) {
                            Some(at) => items.get(at).unwrap_or(&Expr::None),
                            None => return Ok(expr),
                        }
                    }
                    _ => return Ok(expr),
                },
                expr => return Ok(expr),
            };
        }
    }

    fn is_missing(
        &mut self,
        base: &'r Expr,
        args: &'r [Option<Expr>],
    ) -> Result<bool, RenderFault> {
        let value = self.eval.expr(base)?;
        if matches!(value, Val::Absent | Val::Null) {
            return Ok(true);
        }
        let Some(boolean) = args.get(1).and_then(Option::as_ref) else {
            return Ok(false);
        };
        Ok(self.eval.expr(boolean)?.is_true() && !value.is_true())
    }

    fn sources(&mut self, expr: &'r Expr) -> Result<Sources, RenderFault> {
        let expr = self.chosen(expr)?;
        Ok(match expr {
            Expr::Root(root) => vec![ValueSource {
                source: Source {
                    root: *root,
                    path: root.name().into(),
                },
                made: false,
            }],
            Expr::Local(slot) => self.locals.get(*slot).cloned().unwrap_or_default(),
            Expr::Attr(base, name) => {
                let sources = self.sources(base)?;
                self.inside(sources, name)?
            }
            Expr::Item(base, key) => {
                let sources = self.sources(base)?;
                match &**key {
                    Expr::Text(name) => self.inside(sources, name)?,
                    _ => self.inside(sources, "*")?,
                }
            }
            Expr::Slice(base, ..) => self.sources(base)?,
            Expr::Negate(base) => self.made_of([&**base])?,
            Expr::Sum(_, left, right) => self.made_of([&**left, &**right])?,
            Expr::Filter(_, base, args) => {
                self.made_of(std::iter::once(&**base).chain(args.iter().flatten()))?
            }
            Expr::List(items) => self.made_of(items)?,
            Expr::Map(entries) => self.made_of(entries.iter().map(|(_, value)| value))?,
            // Flags of comparisons are the template's own; `chosen` gives none of those that choose.
            Expr::None
            | Expr::Bool(_)
            | Expr::Number(_)
            | Expr::Text(_)
            | Expr::Loop(..)
            | Expr::Not(_)
            | Expr::Compare(..)
            | Expr::Test(..)
            | Expr::And(..)
            | Expr::Or(..)
            | Expr::Choose { .. } => Vec::new(),
        })
    }

    /// Of what a loop over this expression goes over.
    fn item(&mut self, items: &'r Expr, at: usize) -> Result<Sources, RenderFault> {
        match self.chosen(items)? {
            Expr::List(list) => list
                .get(at)
                .map_or(Ok(Vec::new()), |item| self.sources(item)),
            // Its keys, which the template has.
            Expr::Map(_) => Ok(Vec::new()),
            expr => {
                let sources = self.sources(expr)?;
                self.inside(sources, "*")
            }
        }
    }

    fn made_of(
        &mut self,
        exprs: impl IntoIterator<Item = &'r Expr>,
    ) -> Result<Sources, RenderFault> {
        let mut all = Sources::new();
        for expr in exprs {
            for mut found in self.sources(expr)? {
                found.made = true;
                if all.len() < MAX_SOURCES && !all.contains(&found) {
                    all.push(found);
                }
            }
        }
        Ok(all)
    }

    /// One step further into each value.
    fn inside(&mut self, mut sources: Sources, name: &str) -> Result<Sources, RenderFault> {
        for ValueSource { source, made } in &mut sources {
            let longer = source.path.len().saturating_add(name.len());
            if *made || longer >= MAX_PATH_BYTES {
                *made = true;
                continue;
            }
            self.eval.budget.append(longer)?;
            source.path = format!("{}.{name}", source.path).into();
        }
        Ok(sources)
    }
}

fn entry<'r>(entries: &'r [(Box<str>, Expr)], name: &str) -> &'r Expr {
    let found = entries.iter().find(|(key, _)| **key == *name);
    found.map_or(&Expr::None, |(_, value)| value)
}

#[cfg(test)]
mod tests;
