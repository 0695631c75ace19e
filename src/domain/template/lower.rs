//! From source to program: minijinja's lexer and parser read Jinja, and only what [`super::program`] has a node for
//! gets through.
//!
//! The parser's module is marked unstable, so the crate's version is pinned in Cargo.toml.

mod expressions;
mod foreign;
mod paths;
mod recovery;
mod source;

use minijinja::machinery::{Span, ast};

use self::{
    paths::{base_span, const_str, root_of},
    source::{Cause, Places, read, without_forbidden},
};
use super::{
    TemplateKind, VariableUse,
    fault::TemplateFault,
    input::Root,
    program::{Expr, For, If, Node, Position},
};
use crate::domain::wrong::{Words, Wrong};

/// Loops inside loops.
const MAX_LOOPS: usize = 2;
/// More faults than this help nobody.
const MAX_FAULTS: usize = 50;
/// How often a source is read again without what can't be read.
const MAX_MENDS: usize = 20;

const NO_CALLS: &str = "Templates have no functions or methods; use a filter: {{ value|upper }}";
const NO_STATE: &str =
    "Templates keep no variables; use {% if %} or the filter default where the value is printed";

/// What lowering learns of a template.
pub(super) struct Lowered {
    pub(super) nodes: Box<[Node]>,
    pub(super) variables: Vec<VariableUse>,
    pub(super) snippets: Vec<String>,
}

/// Reads a template, or says everything that is wrong with it.
pub(super) fn lower(source: &str, kind: TemplateKind) -> Result<Lowered, Vec<TemplateFault>> {
    let Ok(ast) = read(source, kind) else {
        return Err(survey(source, kind).faults);
    };
    let mut lowering = Lowering::new(source, kind, &[]);
    let nodes = lowering.template(&ast);
    if lowering.faults.is_empty() {
        Ok(Lowered {
            nodes,
            variables: lowering.variables,
            snippets: lowering.snippets,
        })
    } else {
        Err(sorted(lowering.faults))
    }
}

/// What is known of a source that is no valid template.
pub(super) struct Survey {
    pub(super) faults: Vec<TemplateFault>,
    pub(super) variables: Vec<VariableUse>,
}

/// Looks at a source as a whole, however much of it can't be read: each tag that can't is noted and taken out, and the rest
/// read again.
pub(super) fn survey(source: &str, kind: TemplateKind) -> Survey {
    let mut text = source.to_owned();
    let mut faults = Vec::new();
    let mut names = Vec::new();
    let mut variables = Vec::new();
    for round in 0..MAX_MENDS {
        let unread = match read(&text, kind) {
            Ok(ast) => {
                let mut lowering = Lowering::new(&text, kind, &names);
                lowering.template(&ast);
                faults.extend(lowering.faults);
                variables = lowering.variables;
                // What a tag that was taken out made sure of is not known.
                for used in &mut variables {
                    used.guarded |= round > 0;
                }
                break;
            }
            Err(unread) => unread,
        };
        let mut found = unread.faults;
        let mended = match (unread.cause, found.last_mut()) {
            (Cause::Size, _) | (_, None) => None,
            (Cause::Characters, _) => Some(without_forbidden(&text)),
            (Cause::Syntax, Some(fault)) => recovery::recover(&text, fault, &mut names),
        };
        faults.extend(found);
        match mended {
            Some(mended) => text = mended,
            None => break,
        }
    }
    Survey {
        faults: sorted(faults),
        variables,
    }
}

/// Where comments were probably not meant as such (`# Intro {#intro}`): what they swallow is lost without a word.
pub(super) fn doubts(source: &str) -> Vec<TemplateFault> {
    let places = Places::new(source);
    let swallowed = foreign::swallowed(source).into_iter();
    let fault = |(at, text): (usize, &str)| {
        let (line, column) = places.at(at);
        let lines = text.matches('\n').count().saturating_add(1);
        let wrong = Wrong::Comment { lines };
        TemplateFault {
            line,
            column,
            message: wrong.to_string(),
            advice: "Write {{ \"{#\" }} for the braces themselves, or a space after {# where it is a comment".to_owned(),
            wrong: Box::new(wrong),
        }
    };
    swallowed.take(MAX_FAULTS).map(fault).collect()
}

fn sorted(mut faults: Vec<TemplateFault>) -> Vec<TemplateFault> {
    faults.sort_by_key(|fault| (fault.line, fault.column));
    faults.dedup();
    faults.truncate(MAX_FAULTS);
    faults
}

/// A name that a loop brings in.
struct Local<'s> {
    name: &'s str,
    /// Path of what it stands for, if it is known.
    path: Option<String>,
}

struct Lowering<'s> {
    places: Places<'s>,
    kind: TemplateKind,
    faults: Vec<TemplateFault>,
    variables: Vec<VariableUse>,
    snippets: Vec<String>,
    locals: Vec<Local<'s>>,
    /// How many loops are around us.
    loops: usize,
    depth: usize,
    /// Above zero where an absent value does no harm: conditions, `default`, loops.
    harmless: usize,
    /// Paths known to be there, from the conditions around us.
    present: Vec<String>,
}

impl<'s> Lowering<'s> {
    /// `names` are those that loops brought in which were taken out.
    fn new(source: &'s str, kind: TemplateKind, names: &'s [String]) -> Self {
        let locals = names.iter().map(|name| Local { name, path: None });
        Self {
            places: Places::new(source),
            kind,
            faults: Vec::new(),
            variables: Vec::new(),
            snippets: Vec::new(),
            locals: locals.collect(),
            loops: 0,
            depth: 0,
            harmless: 0,
            present: Vec::new(),
        }
    }

    fn template(&mut self, ast: &ast::Stmt<'s>) -> Box<[Node]> {
        match ast {
            ast::Stmt::Template(template) => self.body(&template.children),
            _ => Box::default(),
        }
    }

    fn fault(&mut self, span: Span, message: impl Into<Words>, advice: &str) {
        if self.faults.len() < MAX_FAULTS {
            let (line, column) = self.place_of(span);
            let Words { text, wrong } = message.into();
            let fault = TemplateFault {
                line,
                column,
                message: text,
                advice: advice.to_owned(),
                wrong,
            };
            if !self.faults.contains(&fault) {
                self.faults.push(fault);
            }
        }
    }

    fn place_of(&self, span: Span) -> Position {
        self.places.at(span.start_offset as usize)
    }

    fn body(&mut self, statements: &[ast::Stmt<'s>]) -> Box<[Node]> {
        statements
            .iter()
            .filter_map(|statement| self.statement(statement))
            .collect()
    }

    fn statement(&mut self, statement: &ast::Stmt<'s>) -> Option<Node> {
        match statement {
            ast::Stmt::EmitRaw(raw) => Some(Node::Text(raw.raw.into())),
            ast::Stmt::EmitExpr(emit) => self.print(&emit.expr),
            ast::Stmt::IfCond(condition) => Some(self.condition(condition)),
            ast::Stmt::ForLoop(each) => self.for_loop(each),
            ast::Stmt::Set(set) => self.refuse(set.span(), "set", NO_STATE),
            ast::Stmt::SetBlock(set) => self.refuse(set.span(), "set", NO_STATE),
            ast::Stmt::WithBlock(with) => self.refuse(with.span(), "with", NO_STATE),
            ast::Stmt::AutoEscape(escape) => self.refuse(
                escape.span(),
                "autoescape",
                "Nothing is escaped; values are fenced by themselves",
            ),
            ast::Stmt::FilterBlock(filter) => self.refuse(
                filter.span(),
                "filter",
                "Apply filters to values: {{ value|upper }}",
            ),
            ast::Stmt::Do(call) => self.refuse(call.span(), "do", NO_CALLS),
            ast::Stmt::Template(template) => self.refuse(template.span(), "template", ""),
        }
    }

    fn refuse(&mut self, span: Span, tag: &str, advice: &str) -> Option<Node> {
        self.fault(span, Wrong::Tag(tag.to_owned()), advice);
        None
    }

    fn print(&mut self, expr: &ast::Expr<'s>) -> Option<Node> {
        if let Some(root) = root_of(expr)
            && root == Root::Snippets.name()
            && !self.locals.iter().any(|local| local.name == root)
        {
            return self.snippet(expr);
        }
        let at = self.place_of(base_span(expr));
        self.expr(expr).map(|expr| Node::Print(expr, at))
    }

    fn snippet(&mut self, expr: &ast::Expr<'s>) -> Option<Node> {
        let key = match expr {
            ast::Expr::GetAttr(attr) if matches!(attr.expr, ast::Expr::Var(_)) => Some(attr.name),
            ast::Expr::GetItem(item) if matches!(item.expr, ast::Expr::Var(_)) => {
                const_str(&item.subscript_expr)
            }
            _ => None,
        };
        let Some(key) = key else {
            self.snippet_fault(base_span(expr));
            return None;
        };
        if self.kind != TemplateKind::Prompt {
            self.fault(
                base_span(expr),
                Wrong::SnippetInPrompt,
                "Write the text here",
            );
            return None;
        }
        if !self.snippets.iter().any(|known| known == key) {
            self.snippets.push(key.to_owned());
        }
        Some(Node::Snippet(key.into()))
    }

    fn snippet_fault(&mut self, span: Span) {
        self.fault(
            span,
            Wrong::SnippetPrinted,
            "Write {{ snippets.key }}, or {{ snippets[\"a-key\"] }} where the key has a dash",
        );
    }

    fn condition(&mut self, condition: &ast::IfCond<'s>) -> Node {
        let test = self.harmless(|this| this.expr(&condition.expr));
        let then = self.with_present(self.proves(&condition.expr, true), |this| {
            this.body(&condition.true_body)
        });
        let otherwise = self.with_present(self.proves(&condition.expr, false), |this| {
            this.body(&condition.false_body)
        });
        Node::If(Box::new(If {
            at: self.place_of(base_span(&condition.expr)),
            condition: test.unwrap_or(Expr::None),
            then,
            otherwise,
        }))
    }

    fn for_loop(&mut self, each: &ast::ForLoop<'s>) -> Option<Node> {
        let span = base_span(&each.target);
        if each.recursive {
            self.fault(span, Wrong::LoopRecursive, "Loop over the list itself");
        }
        if let Some(filter) = &each.filter_expr {
            self.fault(
                base_span(filter),
                Wrong::LoopCondition,
                "Put {% if %} inside the loop",
            );
        }
        if self.loops >= MAX_LOOPS {
            self.fault(
                span,
                Wrong::DeepLoops { most: MAX_LOOPS },
                "Send a flatter list",
            );
            return None;
        }
        let items = self.harmless(|this| this.expr(&each.iter));
        let empty = self.body(&each.else_body);
        let names = self.loop_names(&each.target);
        let path = (names.len() == 1).then(|| self.path(&each.iter)).flatten();
        let outer = self.locals.len();
        for &name in &names {
            self.locals.push(Local {
                name,
                path: path.as_ref().map(|path| format!("{path}.*")),
            });
        }
        self.loops = self.loops.saturating_add(1);
        let body = self.body(&each.body);
        self.loops = self.loops.saturating_sub(1);
        self.locals.truncate(outer);
        Some(Node::For(Box::new(For {
            at: self.place_of(span),
            names: names.len(),
            items: items?,
            body,
            empty,
        })))
    }

    fn loop_names(&mut self, target: &ast::Expr<'s>) -> Vec<&'s str> {
        let names: Option<Vec<&str>> = match target {
            ast::Expr::Var(var) => Some(vec![var.id]),
            ast::Expr::List(list) if list.items.len() == 2 => list
                .items
                .iter()
                .map(|item| match item {
                    ast::Expr::Var(var) => Some(var.id),
                    _ => None,
                })
                .collect(),
            _ => None,
        };
        let Some(names) = names else {
            self.fault(
                base_span(target),
                Wrong::LoopNames,
                "Write {% for key, value in metadata|items %}",
            );
            return Vec::new();
        };
        for name in &names {
            if Root::parse(name).is_some() {
                self.fault(
                    base_span(target),
                    Wrong::Hides((*name).to_owned()),
                    "Choose another name",
                );
            }
        }
        names
    }
}
