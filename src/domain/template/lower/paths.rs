//! Which values a template uses, and where it copes without them.

use minijinja::machinery::{Span, ast};

use super::{Lowering, VariableUse};
use crate::domain::template::input::Root;
use crate::domain::wrong::Wrong;

/// A longer path is no name that anybody gave; a loop would repeat it with each use of its items.
const MAX_PATH_BYTES: usize = 256;

impl<'s> Lowering<'s> {
    /// Lowers where an absent value does no harm.
    pub(super) fn harmless<T>(&mut self, lower: impl FnOnce(&mut Self) -> T) -> T {
        self.harmless = self.harmless.saturating_add(1);
        let result = lower(self);
        self.harmless = self.harmless.saturating_sub(1);
        result
    }

    /// Lowers where these paths are known to be there.
    pub(super) fn with_present<T>(
        &mut self,
        paths: Vec<String>,
        lower: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let known = self.present.len();
        self.present.extend(paths);
        let result = lower(self);
        self.present.truncate(known);
        result
    }

    /// The dotted path of a place, with `*` for the items of a list.
    pub(super) fn path(&self, expr: &ast::Expr<'s>) -> Option<String> {
        match expr {
            ast::Expr::Var(var) => {
                match self.locals.iter().rev().find(|local| local.name == var.id) {
                    Some(local) => local.path.clone(),
                    None => Root::parse(var.id).map(|root| root.name().to_owned()),
                }
            }
            ast::Expr::GetAttr(attr) => Some(format!("{}.{}", self.path(&attr.expr)?, attr.name)),
            ast::Expr::GetItem(item) => {
                let key = const_str(&item.subscript_expr).unwrap_or("*");
                Some(format!("{}.{key}", self.path(&item.expr)?))
            }
            ast::Expr::Slice(slice) => self.path(&slice.expr),
            _ => None,
        }
    }

    fn is_of_item(&self, expr: &ast::Expr<'s>) -> bool {
        match expr {
            ast::Expr::Var(var) => self.locals.iter().any(|local| local.name == var.id),
            ast::Expr::GetAttr(attr) => self.is_of_item(&attr.expr),
            ast::Expr::GetItem(item) => {
                const_str(&item.subscript_expr).is_some() && self.is_of_item(&item.expr)
            }
            _ => false,
        }
    }

    pub(super) fn note_use(&mut self, expr: &ast::Expr<'s>) {
        let Some(path) = self.path(expr) else { return };
        if path.len() > MAX_PATH_BYTES {
            self.fault(
                base_span(expr),
                Wrong::LongPath {
                    most: MAX_PATH_BYTES,
                },
                "Send it under a shorter name",
            );
            return;
        }
        let (line, column) = self.place_of(base_span(expr));
        let of_item = self.is_of_item(expr);
        let is_item = of_item && matches!(expr, ast::Expr::Var(_));
        let guarded = self.harmless > 0 || is_item || self.present.contains(&path);
        self.variables.push(VariableUse {
            path,
            said: source_text(expr),
            of_item,
            guarded,
            line,
            column,
        });
    }

    /// Paths that must hold a value where the condition came out as `outcome`.
    pub(super) fn proves(&self, condition: &ast::Expr<'s>, outcome: bool) -> Vec<String> {
        match condition {
            ast::Expr::Var(_) | ast::Expr::GetAttr(_) | ast::Expr::GetItem(_) if outcome => {
                self.path(condition).into_iter().collect()
            }
            ast::Expr::UnaryOp(unary) if matches!(unary.op, ast::UnaryOpKind::Not) => {
                self.proves(&unary.expr, !outcome)
            }
            ast::Expr::Test(test) => {
                let proven = match test.name {
                    "undefined" | "ne" => !outcome,
                    "none" => false,
                    _ => outcome,
                };
                if proven {
                    self.path(&test.expr).into_iter().collect()
                } else {
                    Vec::new()
                }
            }
            ast::Expr::Filter(filter)
                if outcome && filter.name != "default" && filter.name != "d" =>
            {
                filter
                    .expr
                    .as_ref()
                    .map_or_else(Vec::new, |expr| self.proves(expr, true))
            }
            ast::Expr::BinOp(binary) => match (binary.op, outcome) {
                (ast::BinOpKind::ScAnd, true) | (ast::BinOpKind::ScOr, false) => [
                    self.proves(&binary.left, outcome),
                    self.proves(&binary.right, outcome),
                ]
                .concat(),
                (
                    ast::BinOpKind::Eq
                    | ast::BinOpKind::In
                    | ast::BinOpKind::Lt
                    | ast::BinOpKind::Lte
                    | ast::BinOpKind::Gt
                    | ast::BinOpKind::Gte,
                    true,
                )
                | (ast::BinOpKind::Ne, false) => [&binary.left, &binary.right]
                    .into_iter()
                    .filter_map(|side| self.path(side))
                    .collect(),
                (ast::BinOpKind::ScOr, true) => self.either(condition).into_iter().collect(),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    /// `a or b` of places alone, as something that may be known to be there: the same for `b or a`.
    pub(super) fn either(&self, expr: &ast::Expr<'s>) -> Option<String> {
        let mut paths = Vec::new();
        self.collect_either(expr, &mut paths)?;
        paths.sort_unstable();
        Some(paths.join(" or "))
    }

    fn collect_either(&self, expr: &ast::Expr<'s>, paths: &mut Vec<String>) -> Option<()> {
        if let ast::Expr::BinOp(binary) = expr {
            if !matches!(binary.op, ast::BinOpKind::ScOr) {
                return None;
            }
            self.collect_either(&binary.left, paths)?;
            return self.collect_either(&binary.right, paths);
        }
        paths.push(self.path(expr)?);
        Some(())
    }
}

pub(super) fn const_str<'e>(expr: &'e ast::Expr<'_>) -> Option<&'e str> {
    match expr {
        ast::Expr::Const(constant) => constant.value.as_str(),
        _ => None,
    }
}

/// A place as its author said it.
fn source_text(expr: &ast::Expr<'_>) -> String {
    match expr {
        ast::Expr::Var(var) => var.id.to_owned(),
        ast::Expr::GetAttr(attr) => format!("{}.{}", source_text(&attr.expr), attr.name),
        ast::Expr::GetItem(item) => {
            let key = match &item.subscript_expr {
                ast::Expr::Const(constant) => match constant.value.as_str() {
                    Some(name) => format!("\"{name}\""),
                    None => constant.value.to_string(),
                },
                other => source_text(other),
            };
            format!("{}[{key}]", source_text(&item.expr))
        }
        ast::Expr::Slice(slice) => source_text(&slice.expr),
        _ => "...".to_owned(),
    }
}

/// The name at the very left of a place.
pub(super) fn root_of<'s>(expr: &ast::Expr<'s>) -> Option<&'s str> {
    match expr {
        ast::Expr::Var(var) => Some(var.id),
        ast::Expr::GetAttr(attr) => root_of(&attr.expr),
        ast::Expr::GetItem(item) => root_of(&item.expr),
        _ => None,
    }
}

/// Where an expression starts. (The parser's span of a longer place starts at its last dot.)
pub(super) fn base_span(expr: &ast::Expr<'_>) -> Span {
    match expr {
        ast::Expr::GetAttr(attr) => base_span(&attr.expr),
        ast::Expr::GetItem(item) => base_span(&item.expr),
        ast::Expr::Slice(slice) => base_span(&slice.expr),
        ast::Expr::Call(call) => base_span(&call.expr),
        ast::Expr::Filter(filter) => filter
            .expr
            .as_ref()
            .map_or_else(|| filter.span(), base_span),
        ast::Expr::Test(test) => base_span(&test.expr),
        ast::Expr::BinOp(binary) => base_span(&binary.left),
        ast::Expr::Compare(compare) => base_span(&compare.expr),
        ast::Expr::IfExpr(choice) => base_span(&choice.true_expr),
        other => other.span(),
    }
}
