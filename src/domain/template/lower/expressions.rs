//! Expressions: every construct that is let through, one by one.

use minijinja::{
    machinery::{Span, ast},
    value::ValueKind,
};

use super::{
    Lowering, NO_CALLS, foreign,
    paths::{base_span, const_str},
};
use crate::domain::decimal::Decimal;
use crate::domain::template::{
    filters::{Filter, Test},
    input::Root,
    program::{Arithmetic, Comparison, Expr, LoopField},
};
use crate::domain::wrong::Wrong;

/// Depth of one expression.
const MAX_DEPTH: usize = 48;
/// Entries of one list or map literal.
const MAX_LITERAL: usize = 64;

const ONE_BY_ONE: &str = "Print the parts one after the other: {{ a }} {{ b }}";

impl<'s> Lowering<'s> {
    fn boxed(&mut self, expr: &ast::Expr<'s>) -> Option<Box<Expr>> {
        self.expr(expr).map(Box::new)
    }

    /// Both sides, so that faults of both are reported.
    fn pair(
        &mut self,
        left: &ast::Expr<'s>,
        right: &ast::Expr<'s>,
    ) -> Option<(Box<Expr>, Box<Expr>)> {
        let (left, right) = (self.boxed(left), self.boxed(right));
        Some((left?, right?))
    }

    pub(super) fn expr(&mut self, expr: &ast::Expr<'s>) -> Option<Expr> {
        if self.depth >= MAX_DEPTH {
            self.fault(
                base_span(expr),
                Wrong::Deep { most: MAX_DEPTH },
                "Split it into several tags",
            );
            return None;
        }
        self.depth = self.depth.saturating_add(1);
        let lowered = self.expr_at_depth(expr);
        self.depth = self.depth.saturating_sub(1);
        lowered
    }

    fn expr_at_depth(&mut self, expr: &ast::Expr<'s>) -> Option<Expr> {
        match expr {
            ast::Expr::Const(constant) => self.constant(constant),
            ast::Expr::Var(_) | ast::Expr::GetAttr(_) | ast::Expr::GetItem(_) => {
                let place = self.place(expr);
                self.note_use(expr);
                place
            }
            ast::Expr::Slice(slice) => self.slice(slice),
            ast::Expr::UnaryOp(unary) => match unary.op {
                ast::UnaryOpKind::Not => {
                    self.harmless(|this| this.boxed(&unary.expr)).map(Expr::Not)
                }
                ast::UnaryOpKind::Neg => self.boxed(&unary.expr).map(Expr::Negate),
            },
            ast::Expr::BinOp(binary) => self.binary(expr, binary),
            ast::Expr::Compare(compare) => self.harmless(|this| {
                let first = this.boxed(&compare.expr);
                let rest: Vec<_> = compare
                    .ops
                    .iter()
                    .map(|op| Some((comparison(op.op), this.expr(&op.expr)?)))
                    .collect();
                Some(Expr::Compare(
                    first?,
                    rest.into_iter().collect::<Option<_>>()?,
                ))
            }),
            ast::Expr::IfExpr(choice) => {
                let condition = self.harmless(|this| this.boxed(&choice.test_expr));
                let then = self.with_present(self.proves(&choice.test_expr, true), |this| {
                    this.boxed(&choice.true_expr)
                });
                let otherwise = choice.false_expr.as_ref().map(|other| {
                    self.with_present(self.proves(&choice.test_expr, false), |this| {
                        this.boxed(other)
                    })
                });
                let otherwise = match otherwise {
                    Some(lowered) => Some(lowered?),
                    None => None,
                };
                Some(Expr::Choose {
                    condition: condition?,
                    then: then?,
                    otherwise,
                })
            }
            ast::Expr::Filter(filter) => self.filter(filter),
            ast::Expr::Test(test) => self.test(test),
            ast::Expr::Call(call) => {
                self.fault(
                    base_span(expr),
                    Wrong::Call.worded(format!("calls are not allowed{}", called(call))),
                    NO_CALLS,
                );
                None
            }
            ast::Expr::List(list) => self.list(list.span(), &list.items),
            ast::Expr::Tuple(tuple) => self.list(tuple.span(), &tuple.items),
            ast::Expr::Map(map) => self.map(map),
        }
    }

    /// The number as it is written; the parser keeps floats rounded.
    fn number(&self, constant: &ast::Spanned<ast::Const>) -> Option<Decimal> {
        let value = &constant.value;
        if value.is_integer() {
            return Decimal::parse(&value.to_string()).ok();
        }
        let written = self.places.written(constant.span()).replace('_', "");
        Decimal::parse(&written).ok()
    }

    fn constant(&mut self, constant: &ast::Spanned<ast::Const>) -> Option<Expr> {
        let value = &constant.value;
        if let Some(text) = value.as_str() {
            return Some(Expr::Text(text.into()));
        }
        match value.kind() {
            ValueKind::None => Some(Expr::None),
            ValueKind::Bool => Some(Expr::Bool(value.is_true())),
            ValueKind::Number => {
                let number = self.number(constant);
                if number.is_none() {
                    self.fault(
                        constant.span(),
                        Wrong::Rounded,
                        "Write it as a text in quotes, or with 38 digits at most",
                    );
                }
                number.map(|number| Expr::Number(Box::new(number)))
            }
            _ => {
                self.fault(
                    constant.span(),
                    Wrong::Literal,
                    "Use a text, a number, true, false or none",
                );
                None
            }
        }
    }

    /// A variable, or something inside of one.
    fn place(&mut self, expr: &ast::Expr<'s>) -> Option<Expr> {
        match expr {
            ast::Expr::Var(var) => self.variable(var),
            ast::Expr::GetAttr(attr) => {
                if let ast::Expr::Var(var) = &attr.expr
                    && var.id == "loop"
                {
                    return self.loop_field(var.span(), attr.name);
                }
                let base = self.base(&attr.expr)?;
                Some(Expr::Attr(Box::new(base), attr.name.into()))
            }
            ast::Expr::GetItem(item) => {
                let base = self.base(&item.expr);
                let key = self.expr(&item.subscript_expr);
                Some(Expr::Item(Box::new(base?), Box::new(key?)))
            }
            _ => None,
        }
    }

    /// What an attribute or item is taken from. Places do not count as uses of their own there.
    fn base(&mut self, expr: &ast::Expr<'s>) -> Option<Expr> {
        match expr {
            ast::Expr::Var(_) | ast::Expr::GetAttr(_) | ast::Expr::GetItem(_) => {
                self.depth = self.depth.saturating_add(1);
                let place = if self.depth > MAX_DEPTH {
                    self.fault(
                        base_span(expr),
                        Wrong::Deep { most: MAX_DEPTH },
                        "Split it into several tags",
                    );
                    None
                } else {
                    self.place(expr)
                };
                self.depth = self.depth.saturating_sub(1);
                place
            }
            _ => self.expr(expr),
        }
    }

    fn variable(&mut self, var: &ast::Spanned<ast::Var<'s>>) -> Option<Expr> {
        if let Some(slot) = self.locals.iter().rposition(|local| local.name == var.id) {
            return Some(Expr::Local(slot));
        }
        match Root::parse(var.id) {
            Some(Root::Snippets) => {
                self.snippet_fault(var.span());
                None
            }
            Some(root) => Some(Expr::Root(root)),
            None if var.id == "loop" => {
                self.fault(
                    var.span(),
                    Wrong::LoopAlone(LoopField::NAMES),
                    &format!("Write loop.index; there are {}", LoopField::NAMES),
                );
                None
            }
            None if var.id == "else" => {
                let (name, instead) = ("{{else}}".to_owned(), "{% else %}".to_owned());
                let advice = format!("Write {instead}");
                let words = Wrong::Foreign { name, instead };
                let words = words.worded("{{else}} is Handlebars or Mustache");
                self.fault(var.span(), words, &advice);
                None
            }
            None => {
                let known = Root::ALL.map(Root::name).join(", ");
                let advice = format!("Values start with one of: {known}. Text goes in quotes");
                let name = var.id.to_owned();
                self.fault(var.span(), Wrong::NoValue { name, known }, &advice);
                None
            }
        }
    }

    fn loop_field(&mut self, span: Span, name: &str) -> Option<Expr> {
        let Some(depth) = self.loops.checked_sub(1) else {
            self.fault(span, Wrong::LoopOutside, "");
            return None;
        };
        let Some(field) = LoopField::parse(name) else {
            self.fault(
                span,
                Wrong::NoLoopField {
                    name: name.to_owned(),
                    known: LoopField::NAMES,
                },
                &format!("There are {}", LoopField::NAMES),
            );
            return None;
        };
        Some(Expr::Loop(depth, field))
    }

    fn slice(&mut self, slice: &ast::Spanned<ast::Slice<'s>>) -> Option<Expr> {
        if let Some(step) = &slice.step {
            self.fault(base_span(step), Wrong::SliceStep, "Write value[start:end]");
        }
        let base = self.boxed(&slice.expr);
        let start = self.optional(slice.start.as_ref());
        let stop = self.optional(slice.stop.as_ref());
        Some(Expr::Slice(base?, start?, stop?))
    }

    /// `None` on a fault, `Some(None)` where there is nothing to lower.
    #[expect(
        clippy::option_option,
        reason = "a fault and an absent part are two things"
    )]
    fn optional(&mut self, expr: Option<&ast::Expr<'s>>) -> Option<Option<Box<Expr>>> {
        match expr {
            Some(expr) => self.boxed(expr).map(Some),
            None => Some(None),
        }
    }

    fn binary(
        &mut self,
        expr: &ast::Expr<'s>,
        binary: &ast::Spanned<ast::BinOp<'s>>,
    ) -> Option<Expr> {
        let span = base_span(&binary.left);
        let arithmetic = match binary.op {
            ast::BinOpKind::ScAnd => {
                let left = self.boxed(&binary.left);
                let right = self.with_present(self.proves(&binary.left, true), |this| {
                    this.boxed(&binary.right)
                });
                return Some(Expr::And(left?, right?));
            }
            ast::BinOpKind::ScOr => {
                // `a or b` is a default in other words.
                let left = self.harmless(|this| this.boxed(&binary.left));
                let one_is_there = self
                    .either(expr)
                    .is_some_and(|either| self.present.contains(&either));
                let right = if one_is_there {
                    self.harmless(|this| this.boxed(&binary.right))
                } else {
                    self.boxed(&binary.right)
                };
                return Some(Expr::Or(left?, right?));
            }
            ast::BinOpKind::Eq => return self.compare(binary, Comparison::Equal),
            ast::BinOpKind::Ne => return self.compare(binary, Comparison::NotEqual),
            ast::BinOpKind::Lt => return self.compare(binary, Comparison::Less),
            ast::BinOpKind::Lte => return self.compare(binary, Comparison::LessOrEqual),
            ast::BinOpKind::Gt => return self.compare(binary, Comparison::Greater),
            ast::BinOpKind::Gte => return self.compare(binary, Comparison::GreaterOrEqual),
            ast::BinOpKind::In => return self.compare(binary, Comparison::In),
            ast::BinOpKind::Mul => {
                return self.no_operator(
                    binary,
                    "*",
                    "Repeating is not allowed; write the text out",
                );
            }
            ast::BinOpKind::Pow => {
                return self.no_operator(binary, "**", "Send the number as metadata");
            }
            ast::BinOpKind::Concat => return self.no_operator(binary, "~", ONE_BY_ONE),
            ast::BinOpKind::Add => Arithmetic::Add,
            ast::BinOpKind::Sub => Arithmetic::Subtract,
            ast::BinOpKind::Div => Arithmetic::Divide,
            ast::BinOpKind::FloorDiv => Arithmetic::FloorDivide,
            ast::BinOpKind::Rem => Arithmetic::Remainder,
        };
        if [&binary.left, &binary.right]
            .into_iter()
            .any(is_text_or_list)
        {
            self.fault(span, Wrong::ForNumbers, ONE_BY_ONE);
        }
        if arithmetic == Arithmetic::Subtract
            && let Some(name) = self.hyphenated(binary)
        {
            let advice = format!("Write {name}");
            self.fault(base_span(&binary.left), Wrong::Hyphen(name), &advice);
            return None;
        }
        let (left, right) = self.pair(&binary.left, &binary.right)?;
        Some(Expr::Sum(arithmetic, left, right))
    }

    /// `user["first-name"]` where `user.first-name` was written, and `name` is no value.
    fn hyphenated(&self, binary: &ast::BinOp<'s>) -> Option<String> {
        let (ast::Expr::GetAttr(attr), ast::Expr::Var(var)) = (&binary.left, &binary.right) else {
            return None;
        };
        let is_known =
            Root::parse(var.id).is_some() || self.locals.iter().any(|local| local.name == var.id);
        let base = match &attr.expr {
            ast::Expr::Var(var) => var.id.to_owned(),
            deeper => self.path(deeper)?,
        };
        (!is_known).then(|| format!("{base}[\"{}-{}\"]", attr.name, var.id))
    }

    fn compare(&mut self, binary: &ast::BinOp<'s>, comparison: Comparison) -> Option<Expr> {
        let (left, right) = self.harmless(|this| this.pair(&binary.left, &binary.right))?;
        Some(Expr::Compare(left, vec![(comparison, *right)]))
    }

    fn no_operator(
        &mut self,
        binary: &ast::BinOp<'s>,
        sign: &'static str,
        advice: &str,
    ) -> Option<Expr> {
        self.fault(base_span(&binary.left), Wrong::Operator(sign), advice);
        self.pair(&binary.left, &binary.right)?;
        None
    }

    fn filter(&mut self, filter: &ast::Spanned<ast::Filter<'s>>) -> Option<Expr> {
        let subject = filter.expr.as_ref()?;
        let Some(found) = Filter::parse(filter.name) else {
            self.fault(
                base_span(subject),
                Wrong::NoFilter {
                    name: filter.name.to_owned(),
                    known: Filter::names(),
                },
                &foreign::filter(filter.name)
                    .map_or_else(|| format!("Filters: {}", Filter::names()), str::to_owned),
            );
            self.expr(subject);
            return None;
        };
        let base = if found == Filter::Default {
            self.harmless(|this| this.boxed(subject))
        } else {
            self.boxed(subject)
        };
        let args = self.arguments(
            base_span(subject),
            found.name(),
            found.parameters(),
            &filter.args,
        );
        Some(Expr::Filter(found, base?, args?))
    }

    /// Arguments in the order of the parameters; a parameter that was left out is none.
    fn arguments(
        &mut self,
        span: Span,
        name: &str,
        parameters: &[&str],
        args: &[ast::CallArg<'s>],
    ) -> Option<Vec<Option<Expr>>> {
        let mut lowered: Vec<Option<Expr>> = parameters.iter().map(|_| None).collect();
        let mut sound = true;
        for (position, arg) in args.iter().enumerate() {
            let (slot, expr) = match arg {
                ast::CallArg::Pos(expr) => (Some(position), expr),
                ast::CallArg::Kwarg(key, expr) => (
                    parameters.iter().position(|parameter| parameter == key),
                    expr,
                ),
                ast::CallArg::PosSplat(expr) | ast::CallArg::KwargSplat(expr) => (None, expr),
            };
            let value = self.expr(expr);
            sound &= value.is_some();
            if let Some(slot) = slot.and_then(|slot| lowered.get_mut(slot)) {
                *slot = value;
            } else {
                let advice = if parameters.is_empty() {
                    format!("{name} takes no argument")
                } else {
                    format!("{name} takes: {}", parameters.join(", "))
                };
                let wrong = Wrong::Argument {
                    name: name.to_owned(),
                    known: parameters.join(", "),
                };
                self.fault(span, wrong, &advice);
                sound = false;
            }
        }
        sound.then_some(lowered)
    }

    fn test(&mut self, test: &ast::Spanned<ast::Test<'s>>) -> Option<Expr> {
        let Some(found) = Test::parse(test.name) else {
            self.fault(
                base_span(&test.expr),
                Wrong::NoTest {
                    name: test.name.to_owned(),
                    known: Test::names(),
                },
                &format!("Tests: {}", Test::names()),
            );
            return None;
        };
        let subject = self.harmless(|this| this.boxed(&test.expr));
        let parameters: &[&str] = if found.takes_argument() {
            &["other"]
        } else {
            &[]
        };
        let args = self.harmless(|this| {
            this.arguments(base_span(&test.expr), test.name, parameters, &test.args)
        });
        let argument = args?.into_iter().next().flatten();
        if found.takes_argument() && argument.is_none() {
            self.fault(
                base_span(&test.expr),
                Wrong::Compares(test.name.to_owned()),
                "Write {{ a is eq(b) }}",
            );
            return None;
        }
        Some(Expr::Test(found, subject?, argument.map(Box::new)))
    }

    fn list(&mut self, span: Span, items: &[ast::Expr<'s>]) -> Option<Expr> {
        self.check_literal(span, items.len());
        let items: Vec<_> = items.iter().map(|item| self.expr(item)).collect();
        items
            .into_iter()
            .collect::<Option<Vec<_>>>()
            .map(Expr::List)
    }

    fn map(&mut self, map: &ast::Spanned<ast::Map<'s>>) -> Option<Expr> {
        self.check_literal(map.span(), map.keys.len());
        let mut entries = Some(Vec::with_capacity(map.keys.len()));
        for (key, value) in map.keys.iter().zip(&map.values) {
            let value = self.expr(value);
            let Some(key) = const_str(key) else {
                self.fault(
                    base_span(key),
                    Wrong::MapKeys,
                    "Write {\"gold\": \"warmly\"}",
                );
                entries = None;
                continue;
            };
            match (&mut entries, value) {
                (Some(entries), Some(value)) => entries.push((key.into(), value)),
                _ => entries = None,
            }
        }
        entries.map(Expr::Map)
    }

    fn check_literal(&mut self, span: Span, entries: usize) {
        if entries > MAX_LITERAL {
            self.fault(
                span,
                Wrong::LongList { most: MAX_LITERAL },
                "Send it as metadata, or split it",
            );
        }
    }
}

fn comparison(op: ast::CompareOpKind) -> Comparison {
    match op {
        ast::CompareOpKind::Eq => Comparison::Equal,
        ast::CompareOpKind::Ne => Comparison::NotEqual,
        ast::CompareOpKind::Lt => Comparison::Less,
        ast::CompareOpKind::Lte => Comparison::LessOrEqual,
        ast::CompareOpKind::Gt => Comparison::Greater,
        ast::CompareOpKind::Gte => Comparison::GreaterOrEqual,
        ast::CompareOpKind::In => Comparison::In,
        ast::CompareOpKind::NotIn => Comparison::NotIn,
    }
}

fn is_text_or_list(expr: &ast::Expr<'_>) -> bool {
    const_str(expr).is_some()
        || matches!(
            expr,
            ast::Expr::List(_) | ast::Expr::Tuple(_) | ast::Expr::Map(_)
        )
}

/// ` (range)` where a plain function is called.
fn called(call: &ast::Call<'_>) -> String {
    match &call.expr {
        ast::Expr::Var(var) => format!(" ({})", var.id),
        ast::Expr::GetAttr(attr) => format!(" (.{})", attr.name),
        _ => String::new(),
    }
}
