//! The language: what a template can be once it was accepted.
//!
//! There is no node for assignment, multiplication, calls, macros or includes, so no accepted template has state; how much
//! one can build is for the [`Budget`](super::Budget) to bound.

use super::{
    filters::{Filter, Test},
    input::Root,
};
use crate::domain::decimal::Decimal;

/// A part of a template. Small, since a prompt has dozens of them, and every tenant's are in memory: what is rarely there is boxed.
#[derive(Debug)]
pub(super) enum Node {
    /// Fixed text.
    Text(Box<str>),
    /// `{{ expression }}`
    Print(Expr, Position),
    /// `{{ snippets.key }}`
    Snippet(Box<str>),
    If(Box<If>),
    For(Box<For>),
}

/// `{% if %}`
#[derive(Debug)]
pub(super) struct If {
    pub(super) at: Position,
    pub(super) condition: Expr,
    pub(super) then: Box<[Node]>,
    pub(super) otherwise: Box<[Node]>,
}

/// `{% for %}`
#[derive(Debug)]
pub(super) struct For {
    pub(super) at: Position,
    /// How many names take an item apart: 1, or 2 for pairs.
    pub(super) names: usize,
    pub(super) items: Expr,
    pub(super) body: Box<[Node]>,
    /// `{% else %}`: nothing to loop over.
    pub(super) empty: Box<[Node]>,
}

/// Line and column, both counted from 1, for messages.
pub(super) type Position = (usize, usize);

#[derive(Debug)]
pub(super) enum Expr {
    None,
    Bool(bool),
    Number(Box<Decimal>),
    Text(Box<str>),
    Root(Root),
    /// A loop variable, by its place on the stack of them.
    Local(usize),
    /// A property of the loop at this depth.
    Loop(usize, LoopField),
    Attr(Box<Expr>, Box<str>),
    Item(Box<Expr>, Box<Expr>),
    Slice(Box<Expr>, Option<Box<Expr>>, Option<Box<Expr>>),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Sum(Arithmetic, Box<Expr>, Box<Expr>),
    /// `a < b <= c`
    Compare(Box<Expr>, Vec<(Comparison, Expr)>),
    /// `value if condition else other`
    Choose {
        condition: Box<Expr>,
        then: Box<Expr>,
        otherwise: Option<Box<Expr>>,
    },
    Filter(Filter, Box<Expr>, Vec<Option<Expr>>),
    Test(Test, Box<Expr>, Option<Box<Expr>>),
    List(Vec<Expr>),
    Map(Vec<(Box<str>, Expr)>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LoopField {
    Index,
    Index0,
    First,
    Last,
    Length,
}

impl LoopField {
    pub(super) const NAMES: &'static str = "index, index0, first, last, length";

    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "index" => Self::Index,
            "index0" => Self::Index0,
            "first" => Self::First,
            "last" => Self::Last,
            "length" => Self::Length,
            _ => return None,
        })
    }
}

/// Arithmetic on numbers; on anything else it gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Divide,
    FloorDivide,
    Remainder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}
