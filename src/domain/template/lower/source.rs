//! Reading: a source becomes a syntax tree only where its size and nesting are bounded.

use std::collections::HashSet;

use minijinja::{
    machinery::{Span, Token, ast, parse, tokenize},
    syntax::SyntaxConfig,
};

use super::{MAX_FAULTS, NO_CALLS, Position, TemplateFault, TemplateKind, foreign};
use crate::domain::characters::unseen;
use crate::domain::text;
use crate::domain::wrong::{Words, Wrong};

/// Brackets inside brackets.
const MAX_BRACKETS: usize = 10;
/// Tags inside tags.
const MAX_BLOCKS: usize = 8;
/// `elif` of one template.
const MAX_ELIFS: usize = 40;
/// Tokens of one tag, which bounds every chain of operators, filters and attributes.
const MAX_TOKENS: usize = 300;

/// Why a source has no syntax tree.
pub(super) struct Unread {
    pub(super) faults: Vec<TemplateFault>,
    pub(super) cause: Cause,
}

/// What keeps a source from being read.
#[derive(Clone, Copy)]
pub(super) enum Cause {
    /// It is too large or too deeply nested to be looked at.
    Size,
    /// Characters that no template may hold.
    Characters,
    /// The last of the faults is one of syntax.
    Syntax,
}

/// The syntax tree of a source, or what keeps it from being one.
pub(super) fn read(source: &str, kind: TemplateKind) -> Result<ast::Stmt<'_>, Unread> {
    let unread = |cause: Cause, faults: Vec<TemplateFault>| Err(Unread { faults, cause });
    if source.len() > kind.max_source_bytes() {
        let wrong = Wrong::LongSource {
            bytes: source.len(),
            most: kind.max_source_bytes(),
        };
        let fault = TemplateFault {
            line: 1,
            column: 1,
            message: wrong.to_string(),
            advice: "Move parts of it to snippets, or shorten it".to_owned(),
            wrong: Box::new(wrong),
        };
        return unread(Cause::Size, vec![fault]);
    }
    let faults = forbidden_characters(source);
    if !faults.is_empty() {
        return unread(Cause::Characters, faults);
    }
    let syntax = syntax();
    // Only a source of bounded nesting may reach the recursive parser.
    if let Err((cause, fault)) = bounded(source, &syntax) {
        return unread(cause, vec![fault]);
    }
    parse(source, "template", syntax).or_else(|error| {
        let fault = syntax_fault(source, &error);
        unread(Cause::Syntax, vec![fault])
    })
}

/// The source with a space for each character that no template may hold: everything else stays in its line and column.
pub(super) fn without_forbidden(source: &str) -> String {
    let forbidden: HashSet<usize> = text::all_forbidden(source).map(|(at, _)| at).collect();
    let allowed = |(at, c): (usize, char)| {
        if text::is_fence_like(c) || forbidden.contains(&at) {
            ' '
        } else {
            c
        }
    };
    source.char_indices().map(allowed).collect()
}

/// A line that holds only a tag vanishes from the output, so that prompts stay tidy.
fn syntax() -> SyntaxConfig {
    SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .unwrap_or_default()
}

/// Finds the line and column of byte offsets.
pub(super) struct Places<'s> {
    source: &'s str,
    line_starts: Vec<usize>,
}

impl<'s> Places<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        let ends = source.match_indices('\n');
        let starts = ends.map(|(at, _)| at.saturating_add(1));
        Self {
            source,
            line_starts: std::iter::once(0).chain(starts).collect(),
        }
    }

    /// The byte offset of a place; the end where the source has no such place.
    pub(super) fn offset(&self, (line, column): Position) -> usize {
        let start = line.checked_sub(1).and_then(|at| self.line_starts.get(at));
        let Some(start) = start.copied() else {
            return self.source.len();
        };
        let line = self.source.get(start..).unwrap_or_default();
        let before = line.char_indices().nth(column.saturating_sub(1));
        before.map_or(self.source.len(), |(at, _)| start.saturating_add(at))
    }

    /// What is in the source.
    pub(super) fn written(&self, span: Span) -> &'s str {
        let bytes = span.start_offset as usize..span.end_offset as usize;
        self.source.get(bytes).unwrap_or_default()
    }

    /// Both counted from 1.
    pub(super) fn at(&self, offset: usize) -> Position {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|at| self.line_starts.get(at));
        let before = self.source.get(start.copied().unwrap_or(0)..offset);
        let column = before.unwrap_or_default().chars().count().saturating_add(1);
        (line, column)
    }
}

fn fault_at(source: &str, offset: usize, message: impl Into<Words>, advice: &str) -> TemplateFault {
    let (line, column) = Places::new(source).at(offset);
    let Words { text, wrong } = message.into();
    TemplateFault {
        line,
        column,
        message: text,
        advice: advice.to_owned(),
        wrong,
    }
}

fn forbidden_characters(source: &str) -> Vec<TemplateFault> {
    let invisible = text::all_forbidden(source).map(|(offset, c)| {
        let name = unseen(c).unwrap_or_else(|| format!("U+{:04X}", u32::from(c)).into());
        let words = Wrong::unseen(c).worded(format!("invisible control character {name}"));
        let advice = "Delete it: reviewers cannot see it";
        fault_at(source, offset, words, advice)
    });
    let brackets = source
        .char_indices()
        .filter(|(_, c)| text::is_fence_like(*c));
    let brackets =
        brackets.map(|(offset, c)| fault_at(source, offset, Wrong::Kept(c), "Use another bracket"));
    invisible
        .take(MAX_FAULTS)
        .chain(brackets.take(MAX_FAULTS))
        .take(MAX_FAULTS)
        .collect()
}

/// Faults of size and nesting, found on the flat stream of tokens.
fn bounded(source: &str, syntax: &SyntaxConfig) -> Result<(), (Cause, TemplateFault)> {
    let mut brackets = 0_usize;
    let mut blocks = 0_usize;
    let mut elifs = 0_usize;
    let mut tokens = 0_usize;
    let mut at_tag_start = false;
    for token in tokenize(source, false, syntax.clone()) {
        let (token, span) = match token {
            Ok(token) => token,
            Err(error) => return Err((Cause::Syntax, syntax_fault(source, &error))),
        };
        tokens = tokens.saturating_add(1);
        let in_tag_start = std::mem::replace(&mut at_tag_start, matches!(token, Token::BlockStart));
        match token {
            Token::TemplateData(_) | Token::VariableStart | Token::BlockStart => {
                (brackets, tokens) = (0, 0);
            }
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => {
                brackets = brackets.saturating_add(1);
            }
            Token::ParenClose | Token::BracketClose | Token::BraceClose => {
                brackets = brackets.saturating_sub(1);
            }
            Token::Ident("elif") if in_tag_start => elifs = elifs.saturating_add(1),
            Token::Ident("else") if in_tag_start => {}
            Token::Ident(word) if in_tag_start && word.starts_with("end") => {
                blocks = blocks.saturating_sub(1);
            }
            Token::Ident(_) if in_tag_start => blocks = blocks.saturating_add(1),
            _ => {}
        }
        let (message, advice) = if brackets > MAX_BRACKETS {
            (
                Wrong::Brackets { most: MAX_BRACKETS },
                "Flatten the expression",
            )
        } else if blocks > MAX_BLOCKS {
            (
                Wrong::Tags { most: MAX_BLOCKS },
                "Close a tag with {% endif %} or {% endfor %}, or nest less",
            )
        } else if elifs > MAX_ELIFS {
            (
                Wrong::Elifs { most: MAX_ELIFS },
                "Use a map: {{ {\"a\": \"b\"}[value]|default(\"c\") }}",
            )
        } else if tokens > MAX_TOKENS {
            (
                Wrong::LongTag { most: MAX_TOKENS },
                "Split it into several tags",
            )
        } else {
            continue;
        };
        let fault = fault_at(source, span.start_offset as usize, message, advice);
        return Err((Cause::Size, fault));
    }
    Ok(())
}

/// A fault of the parser, with our advice where the cause is a construct that we leave out on purpose.
fn syntax_fault(source: &str, error: &minijinja::Error) -> TemplateFault {
    let detail = error.detail().unwrap_or("the template cannot be read");
    let tag = |word: &str| Words::from(Wrong::Tag(word.to_owned()));
    let (message, advice) = match detail.strip_prefix("unknown statement ") {
        Some(word @ ("include" | "import" | "from" | "extends" | "block")) => (
            tag(word),
            "Templates include no others; include text as {{ snippets.key }}",
        ),
        Some(word @ ("macro" | "call")) => (tag(word), NO_CALLS),
        Some(word @ ("break" | "continue")) => (tag(word), "Use {% if %} inside the loop"),
        Some(word) => (
            Wrong::Tag(word.to_owned()).worded(format!("{{% {word} %}} is not known")),
            foreign::statement(word).unwrap_or("Known tags: if, elif, else, for, raw"),
        ),
        None => {
            let start = error.range().map_or(0, |range| range.start);
            if let Some(found) = foreign::diagnose(source, start) {
                return fault_at(source, found.at, found.words, &found.advice);
            }
            (Wrong::Unreadable(detail.to_owned()).worded(detail), "")
        }
    };
    match (error.range(), error.line()) {
        (Some(range), _) => fault_at(source, range.start, message, advice),
        (None, line) => TemplateFault {
            line: line.unwrap_or(1),
            column: 1,
            message: message.text,
            advice: advice.to_owned(),
            wrong: message.wrong,
        },
    }
}
