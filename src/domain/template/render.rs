//! Runs a program over its input, once, from left to right. What it prints is never read again.

use std::{borrow::Cow, rc::Rc};

use super::{
    Rendered, TemplateKind,
    fault::RenderFault,
    filters::MAX_ITEMS,
    input::{Root, TemplateInput, Trust},
    page::Page,
    program::{Arithmetic, Comparison, Expr, LoopField, Node},
    value::{Val, position},
};

/// Steps that one rendering may take; a step is about 50 ns, or 64 bytes of text.
const MAX_WORK: usize = 100_000;
/// Steps that each printed value costs at least.
const PRINT_WORK: usize = 2;

pub(super) fn render<'r>(
    nodes: &'r [Node],
    kind: TemplateKind,
    input: &'r TemplateInput<'r>,
) -> Result<Rendered, RenderFault> {
    let mut run = Run {
        input,
        page: Page::new(kind, input),
        work_left: MAX_WORK,
        locals: Vec::new(),
        loops: Vec::new(),
    };
    run.nodes(nodes)?;
    run.page.finish()
}

struct Run<'r> {
    input: &'r TemplateInput<'r>,
    page: Page<'r>,
    work_left: usize,
    locals: Vec<Val<'r>>,
    /// Position and length of each loop around us.
    loops: Vec<(usize, usize)>,
}

impl<'r> Run<'r> {
    fn nodes(&mut self, nodes: &'r [Node]) -> Result<(), RenderFault> {
        for node in nodes {
            self.work(1)?;
            match node {
                Node::Text(text) => self.page.push(text)?,
                Node::Print(expr) => {
                    let value = self.eval(expr)?;
                    self.work(value.weight().saturating_add(PRINT_WORK))?;
                    self.page.print(&value)?;
                }
                Node::Snippet(key) => self.page.snippet(key)?,
                Node::If {
                    condition,
                    then,
                    otherwise,
                } => {
                    let branch = if self.eval(condition)?.is_true() {
                        then
                    } else {
                        otherwise
                    };
                    self.nodes(branch)?;
                }
                Node::For {
                    names,
                    items,
                    body,
                    empty,
                } => {
                    let items = self.eval(items)?;
                    self.each(*names, &items, body, empty)?;
                }
            }
        }
        Ok(())
    }

    /// Goes over the first [`MAX_ITEMS`] items.
    fn each(
        &mut self,
        names: usize,
        items: &Val<'r>,
        body: &'r [Node],
        empty: &'r [Node],
    ) -> Result<(), RenderFault> {
        let all = items.len().unwrap_or_default();
        let items = items.iterate(MAX_ITEMS);
        self.work(items.len())?;
        if all > items.len() && !items.is_empty() {
            self.page.note_cut();
        }
        if items.is_empty() {
            return self.nodes(empty);
        }
        let length = items.len();
        let outer = self.locals.len();
        for (at, item) in items.into_iter().enumerate() {
            if names == 2 {
                self.locals.extend([item.at(0), item.at(1)]);
            } else {
                self.locals.push(item);
            }
            self.loops.push((at, length));
            let done = self.nodes(body);
            self.loops.pop();
            self.locals.truncate(outer);
            done?;
        }
        Ok(())
    }

    fn eval(&mut self, expr: &'r Expr) -> Result<Val<'r>, RenderFault> {
        self.work(1)?;
        Ok(match expr {
            Expr::None => Val::Null,
            Expr::Bool(flag) => Val::Bool(*flag),
            Expr::Int(number) => Val::Int(*number),
            Expr::Float(number) => Val::Float(*number),
            Expr::Text(text) => Val::Text(Cow::Borrowed(text), Trust::Tenant),
            Expr::Root(root) => self.root(*root),
            Expr::Local(slot) => self.locals.get(*slot).cloned().unwrap_or(Val::Absent),
            Expr::Loop(depth, field) => self.loop_field(*depth, *field),
            Expr::Attr(base, name) => self.eval(base)?.attr(name),
            Expr::Item(base, key) => {
                let (base, key) = (self.eval(base)?, self.eval(key)?);
                if matches!(base, Val::Text(..)) {
                    self.work(base.surface())?;
                }
                base.item(&key)
            }
            Expr::Slice(base, start, stop) => {
                let base = self.eval(base)?;
                let start = self.bound(start.as_deref())?;
                let stop = self.bound(stop.as_deref())?;
                self.work(base.surface())?;
                slice(&base, start, stop)
            }
            Expr::Not(expr) => Val::Bool(!self.eval(expr)?.is_true()),
            Expr::Negate(expr) => match self.eval(expr)? {
                Val::Int(number) => Val::Int(number.saturating_neg()),
                Val::Float(number) => Val::Float(-number),
                _ => Val::Absent,
            },
            Expr::And(left, right) => {
                let left = self.eval(left)?;
                if left.is_true() {
                    self.eval(right)?
                } else {
                    left
                }
            }
            Expr::Or(left, right) => {
                let left = self.eval(left)?;
                if left.is_true() {
                    left
                } else {
                    self.eval(right)?
                }
            }
            Expr::Sum(arithmetic, left, right) => {
                calculate(*arithmetic, &self.eval(left)?, &self.eval(right)?)
            }
            Expr::Compare(first, rest) => Val::Bool(self.compare(first, rest)?),
            Expr::Choose {
                condition,
                then,
                otherwise,
            } => {
                if self.eval(condition)?.is_true() {
                    self.eval(then)?
                } else if let Some(otherwise) = otherwise {
                    self.eval(otherwise)?
                } else {
                    Val::Absent
                }
            }
            Expr::Filter(filter, base, args) => {
                let base = self.eval(base)?;
                let mut values = Vec::with_capacity(args.len());
                for arg in args {
                    values.push(arg.as_ref().map(|arg| self.eval(arg)).transpose()?);
                }
                self.work(filter.work(&base))?;
                let result = filter.apply(base, &values)?;
                self.work(result.surface())?;
                result
            }
            Expr::Test(test, base, argument) => {
                let base = self.eval(base)?;
                let argument = argument
                    .as_ref()
                    .map_or(Ok(Val::Absent), |argument| self.eval(argument))?;
                self.work(argument.surface())?;
                Val::Bool(test.holds(&base, &argument))
            }
            Expr::List(items) => {
                let items: Result<Vec<_>, _> = items.iter().map(|item| self.eval(item)).collect();
                Val::List(Rc::new(items?))
            }
            Expr::Map(entries) => {
                let mut values = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    values.push((key.as_ref(), self.eval(value)?));
                }
                Val::Map(Rc::new(values))
            }
        })
    }

    fn root(&self, root: Root) -> Val<'r> {
        if root == Root::User {
            return self.input.user.map_or(Val::Absent, Val::Facts);
        }
        self.input
            .tree(root)
            .map_or(Val::Absent, |tree| Val::from_json(tree, root.trust()))
    }

    fn loop_field(&self, depth: usize, field: LoopField) -> Val<'r> {
        let Some((at, length)) = self.loops.get(depth).copied() else {
            return Val::Absent;
        };
        let number = |number: usize| i64::try_from(number).map_or(Val::Absent, Val::Int);
        match field {
            LoopField::Index => number(at.saturating_add(1)),
            LoopField::Index0 => number(at),
            LoopField::First => Val::Bool(at == 0),
            LoopField::Last => Val::Bool(at.saturating_add(1) == length),
            LoopField::Length => number(length),
        }
    }

    fn bound(&mut self, expr: Option<&'r Expr>) -> Result<Option<i64>, RenderFault> {
        Ok(match expr.map(|expr| self.eval(expr)).transpose()? {
            Some(Val::Int(number)) => Some(number),
            _ => None,
        })
    }

    fn compare(
        &mut self,
        first: &'r Expr,
        rest: &'r [(Comparison, Expr)],
    ) -> Result<bool, RenderFault> {
        let mut left = self.eval(first)?;
        for (comparison, right) in rest {
            let right = self.eval(right)?;
            self.work(left.surface().saturating_add(right.surface()))?;
            let order = left.order(&right);
            let holds = match comparison {
                Comparison::Equal => left.equals(&right),
                Comparison::NotEqual => !left.equals(&right),
                Comparison::Less => order.is_some_and(std::cmp::Ordering::is_lt),
                Comparison::LessOrEqual => order.is_some_and(std::cmp::Ordering::is_le),
                Comparison::Greater => order.is_some_and(std::cmp::Ordering::is_gt),
                Comparison::GreaterOrEqual => order.is_some_and(std::cmp::Ordering::is_ge),
                Comparison::In => right.contains(&left),
                Comparison::NotIn => !right.contains(&left),
            };
            if !holds {
                return Ok(false);
            }
            left = right;
        }
        Ok(true)
    }

    fn work(&mut self, steps: usize) -> Result<(), RenderFault> {
        self.work_left = self
            .work_left
            .checked_sub(steps)
            .ok_or(RenderFault::TooMuchWork)?;
        Ok(())
    }
}

fn slice<'r>(base: &Val<'r>, start: Option<i64>, stop: Option<i64>) -> Val<'r> {
    let Some(len) = base.len() else {
        return Val::Absent;
    };
    let bound = |index: Option<i64>, otherwise: usize| match index {
        None => otherwise,
        Some(index) => position(index, len).unwrap_or(if index < 0 { 0 } else { len }),
    };
    let (start, stop) = (bound(start, 0), bound(stop, len));
    let count = stop.saturating_sub(start);
    match base {
        Val::Text(text, trust) => Val::Text(
            Cow::Owned(text.chars().skip(start).take(count).collect()),
            *trust,
        ),
        Val::Map(_) | Val::Facts(_) => Val::Absent,
        Val::Tree(json, _) if json.is_object() => Val::Absent,
        _ => Val::List(Rc::new((start..stop).map(|at| base.at(at)).collect())),
    }
}

/// Arithmetic; nothing comes of a division by zero, an overflow or something that is no number.
fn calculate<'r>(arithmetic: Arithmetic, left: &Val<'r>, right: &Val<'r>) -> Val<'r> {
    if let (Val::Int(a), Val::Int(b)) = (left, right) {
        let whole = match arithmetic {
            Arithmetic::Add => a.checked_add(*b),
            Arithmetic::Subtract => a.checked_sub(*b),
            Arithmetic::FloorDivide => floor_division(*a, *b).map(|(quotient, _)| quotient),
            Arithmetic::Remainder => floor_division(*a, *b).map(|(_, rest)| rest),
            Arithmetic::Divide => None,
        };
        if arithmetic != Arithmetic::Divide {
            return whole.map_or(Val::Absent, Val::Int);
        }
    }
    let (Some(a), Some(b)) = (left.number(), right.number()) else {
        return Val::Absent;
    };
    let result = match arithmetic {
        Arithmetic::Add => a + b,
        Arithmetic::Subtract => a - b,
        Arithmetic::Divide => a / b,
        Arithmetic::FloorDivide => (a / b).floor(),
        Arithmetic::Remainder => a - b * (a / b).floor(),
    };
    if result.is_finite() {
        Val::Float(result)
    } else {
        Val::Absent
    }
}

/// Quotient and remainder as in Python: the remainder has the sign of the divisor.
fn floor_division(a: i64, b: i64) -> Option<(i64, i64)> {
    let (quotient, rest) = (a.checked_div(b)?, a.checked_rem(b)?);
    if rest != 0 && (rest < 0) != (b < 0) {
        Some((quotient.checked_sub(1)?, rest.checked_add(b)?))
    } else {
        Some((quotient, rest))
    }
}
