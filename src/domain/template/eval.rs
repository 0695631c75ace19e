//! What an expression comes to. Pays for each step before it takes it.

use std::cmp::Ordering;

use super::{
    budget::Budget,
    fault::RenderFault,
    filters::MAX_PARAMETERS,
    input::{Root, TemplateInput, Trust},
    program::{Arithmetic, Comparison, Expr, LoopField},
    value::{Text, Val},
};

/// Where expressions are evaluated: values, loops, and what is left of the budget.
pub(super) struct Eval<'r, 'b> {
    pub(super) input: &'r TemplateInput<'r>,
    pub(super) budget: &'b mut Budget,
    pub(super) locals: Vec<Val<'r>>,
    /// Position and length of each loop around us.
    pub(super) loops: Vec<(usize, usize)>,
}

impl<'r, 'b> Eval<'r, 'b> {
    pub(super) fn new(input: &'r TemplateInput<'r>, budget: &'b mut Budget) -> Self {
        Self {
            input,
            budget,
            locals: Vec::new(),
            loops: Vec::new(),
        }
    }

    /// Goes into a turn of a loop: its item under one name, or taken apart under two.
    pub(super) fn enter(
        &mut self,
        names: usize,
        item: Val<'r>,
        turn: (usize, usize),
    ) -> Result<(), RenderFault> {
        if names == 2 {
            let pair = [item.at(0, self.budget)?, item.at(1, self.budget)?];
            self.locals.extend(pair);
        } else {
            self.locals.push(item);
        }
        self.loops.push(turn);
        Ok(())
    }

    /// Leaves the turn that was entered last.
    pub(super) fn leave(&mut self, names: usize) {
        self.loops.pop();
        self.locals
            .truncate(self.locals.len().saturating_sub(names));
    }

    pub(super) fn expr(&mut self, expr: &'r Expr) -> Result<Val<'r>, RenderFault> {
        self.budget.step()?;
        Ok(match expr {
            Expr::None => Val::Null,
            Expr::Bool(flag) => Val::Bool(*flag),
            Expr::Number(number) => Val::Number(**number),
            Expr::Text(text) => Val::Text(Text::Borrowed(text), Trust::Tenant),
            Expr::Root(root) => self.root(*root),
            Expr::Local(slot) => self.locals.get(*slot).cloned().unwrap_or(Val::Absent),
            Expr::Loop(depth, field) => self.loop_field(*depth, *field),
            Expr::Attr(base, name) => self.expr(base)?.attr(name, self.budget)?,
            Expr::Item(base, key) => {
                let (base, key) = (self.expr(base)?, self.expr(key)?);
                base.item(&key, self.budget)?
            }
            Expr::Slice(base, start, stop) => {
                let base = self.expr(base)?;
                let start = self.bound(start.as_deref())?;
                let stop = self.bound(stop.as_deref())?;
                base.slice(start, stop, self.budget)?
            }
            Expr::Not(expr) => Val::Bool(!self.expr(expr)?.is_true()),
            Expr::Negate(expr) => match self.expr(expr)? {
                Val::Number(number) => Val::Number(number.negated()),
                _ => Val::Absent,
            },
            Expr::And(left, right) => {
                let left = self.expr(left)?;
                if left.is_true() {
                    self.expr(right)?
                } else {
                    left
                }
            }
            Expr::Or(left, right) => {
                let left = self.expr(left)?;
                if left.is_true() {
                    left
                } else {
                    self.expr(right)?
                }
            }
            Expr::Sum(arithmetic, left, right) => {
                let (left, right) = (self.expr(left)?, self.expr(right)?);
                self.budget.digits()?;
                calculate(*arithmetic, &left, &right)
            }
            Expr::Compare(first, rest) => Val::Bool(self.compare(first, rest)?),
            Expr::Choose {
                condition,
                then,
                otherwise,
            } => {
                if self.expr(condition)?.is_true() {
                    self.expr(then)?
                } else if let Some(otherwise) = otherwise {
                    self.expr(otherwise)?
                } else {
                    Val::Absent
                }
            }
            Expr::Filter(filter, base, args) => {
                let base = self.expr(base)?;
                if args.is_empty() {
                    return filter.apply(base, &[], self.budget);
                }
                let mut values = [const { None }; MAX_PARAMETERS];
                for (value, arg) in values.iter_mut().zip(args) {
                    *value = arg.as_ref().map(|arg| self.expr(arg)).transpose()?;
                }
                filter.apply(base, &values, self.budget)?
            }
            Expr::Test(test, base, argument) => {
                let base = self.expr(base)?;
                let argument = argument
                    .as_ref()
                    .map_or(Ok(Val::Absent), |argument| self.expr(argument))?;
                Val::Bool(test.holds(&base, &argument, self.budget)?)
            }
            Expr::List(items) => {
                self.budget.build_list::<Val<'_>>(items.len())?;
                let mut values = Vec::with_capacity(items.len());
                for item in items {
                    values.push(self.expr(item)?);
                }
                Val::list(values)
            }
            Expr::Map(entries) => {
                self.budget.build_list::<(&str, Val<'_>)>(entries.len())?;
                let mut values = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    values.push((key.as_ref(), self.expr(value)?));
                }
                Val::map(values)
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
        let number = Val::of_count;
        match field {
            LoopField::Index => number(at.saturating_add(1)),
            LoopField::Index0 => number(at),
            LoopField::First => Val::Bool(at == 0),
            LoopField::Last => Val::Bool(at.saturating_add(1) == length),
            LoopField::Length => number(length),
        }
    }

    fn bound(&mut self, expr: Option<&'r Expr>) -> Result<Option<i64>, RenderFault> {
        Ok(match expr.map(|expr| self.expr(expr)).transpose()? {
            Some(Val::Number(number)) => number.as_i64(),
            _ => None,
        })
    }

    fn compare(
        &mut self,
        first: &'r Expr,
        rest: &'r [(Comparison, Expr)],
    ) -> Result<bool, RenderFault> {
        let mut left = self.expr(first)?;
        for (comparison, right) in rest {
            let right = self.expr(right)?;
            let budget = &mut *self.budget;
            let mut order = |holds: fn(Ordering) -> bool| {
                let order = left.order(&right, budget)?;
                Ok(order.is_some_and(holds))
            };
            let holds = match comparison {
                Comparison::Less => order(Ordering::is_lt)?,
                Comparison::LessOrEqual => order(Ordering::is_le)?,
                Comparison::Greater => order(Ordering::is_gt)?,
                Comparison::GreaterOrEqual => order(Ordering::is_ge)?,
                Comparison::Equal => left.equals(&right, self.budget)?,
                Comparison::NotEqual => !left.equals(&right, self.budget)?,
                Comparison::In => right.contains(&left, self.budget)?,
                Comparison::NotIn => !right.contains(&left, self.budget)?,
            };
            if !holds {
                return Ok(false);
            }
            left = right;
        }
        Ok(true)
    }
}

/// Arithmetic; nothing comes of a division by zero, an overflow or something that is no number.
fn calculate<'r>(arithmetic: Arithmetic, left: &Val<'r>, right: &Val<'r>) -> Val<'r> {
    let (Val::Number(a), Val::Number(b)) = (left, right) else {
        return Val::Absent;
    };
    let result = match arithmetic {
        Arithmetic::Add => a.plus(*b),
        Arithmetic::Subtract => a.minus(*b),
        Arithmetic::Divide => a.over(*b),
        Arithmetic::FloorDivide => a.divided(*b).map(|(quotient, _)| quotient),
        Arithmetic::Remainder => a.divided(*b).map(|(_, rest)| rest),
    };
    result.map_or(Val::Absent, Val::Number)
}
