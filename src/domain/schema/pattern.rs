//! Regular expressions of schemas, compiled so that a text costs one step a byte whatever the pattern.

use std::collections::HashMap;
use std::sync::Arc;

use regex_automata::Input;
use regex_automata::dfa::dense::{self, DFA};
use regex_automata::dfa::{Automaton, StartKind};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_syntax::hir::{Hir, HirKind, Look};

use crate::domain::wrong::Wrong;

/// The longest pattern, in bytes.
pub(super) const MAX_SOURCE_BYTES: usize = 1_000;
/// Most of `\p{...}` in one pattern: each is a table of hundreds of ranges.
const MAX_UNICODE_CLASSES: usize = 10;
/// Memory of all patterns of a schema together, in bytes.
pub(super) const MAX_MEMORY_BYTES: usize = 1024 * 1024;

/// Memory of what a pattern is compiled from, in bytes: what is larger would take long to be found too large.
const MAX_STATES_BYTES: usize = 256 * 1024;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    pub(super) source: Arc<str>,
    /// `None` where it was too large to be compiled: no text can be checked then.
    machine: Option<Arc<DFA<Vec<u32>>>>,
}

impl Pattern {
    /// Whether any part of `text` fits; `None` where that can't be said.
    pub(super) fn fits(&self, text: &str) -> Option<bool> {
        let machine = self.machine.as_ref()?;
        let found = machine.try_search_fwd(&Input::new(text).earliest(true));
        Some(found.ok()?.is_some())
    }
}

/// Why a pattern is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadPattern {
    /// Its syntax.
    Unreadable,
    /// What is left of the memory does not hold it.
    TooLarge,
}

impl BadPattern {
    /// What to change.
    pub(super) fn wrong(self) -> Wrong {
        match self {
            Self::Unreadable => Wrong::Pattern,
            Self::TooLarge => Wrong::LargePattern,
        }
    }
}

/// Compiles the patterns of one schema, each source once, within one allowance of memory.
#[derive(Debug)]
pub(super) struct Patterns {
    left: usize,
    known: HashMap<Arc<str>, Result<Pattern, BadPattern>>,
}

impl Patterns {
    /// Patterns that may take this many bytes together.
    pub(super) fn within(bytes: usize) -> Self {
        Self {
            left: bytes,
            known: HashMap::new(),
        }
    }

    /// What those that were compiled take, in bytes.
    pub(super) fn compiled_bytes(&self) -> usize {
        let compiled = self.known.values().flatten();
        let machines = compiled.filter_map(|pattern| pattern.machine.as_ref());
        machines.map(|machine| machine.memory_usage()).sum()
    }

    /// `source` as it may be matched, in ECMAScript's meaning of `\d`, `\w`, `\s` and `.`.
    pub(super) fn compile(&mut self, source: &str) -> Result<Pattern, BadPattern> {
        if let Some(known) = self.known.get(source) {
            return known.clone();
        }
        let source: Arc<str> = source.into();
        let compiled = self.build(&source);
        self.known.insert(source, compiled.clone());
        compiled
    }

    fn build(&mut self, source: &Arc<str>) -> Result<Pattern, BadPattern> {
        let classes = source.matches("\\p").count() + source.matches("\\P").count();
        if self.left == 0 || source.len() > MAX_SOURCE_BYTES || classes > MAX_UNICODE_CLASSES {
            return Err(BadPattern::TooLarge);
        }
        let rust = jsonschema_regex::to_rust_regex(source).or(Err(BadPattern::Unreadable))?;
        let tree = regex_syntax::parse(&rust).or(Err(BadPattern::Unreadable))?;
        let states = thompson::Compiler::new()
            .configure(
                thompson::Config::new()
                    .which_captures(WhichCaptures::None)
                    .nfa_size_limit(Some(MAX_STATES_BYTES)),
            )
            .build_from_hir(&ascii_words(tree));
        let machine = states.ok().and_then(|states| {
            let limits = dense::Config::new()
                .start_kind(StartKind::Unanchored)
                .accelerate(false)
                .dfa_size_limit(Some(self.left))
                .determinize_size_limit(Some(MAX_MEMORY_BYTES));
            let built = dense::Builder::new()
                .configure(limits)
                .build_from_nfa(&states);
            built.ok()
        });
        let Some(machine) = machine else {
            // Trying took its time: a schema full of such patterns must not take seconds to be refused.
            self.left /= 16;
            return Err(BadPattern::TooLarge);
        };
        let size = machine.memory_usage();
        self.left = self.left.saturating_sub(size);
        Ok(Pattern {
            source: Arc::clone(source),
            machine: Some(Arc::new(machine)),
        })
    }
}

impl Pattern {
    /// A pattern that was sealed before it was too large.
    pub(super) fn never_compiled(source: &str) -> Self {
        Self {
            source: source.into(),
            machine: None,
        }
    }
}

/// ECMAScript's `\b` knows ASCII only.
fn ascii_words(tree: Hir) -> Hir {
    match tree.into_kind() {
        HirKind::Look(Look::WordUnicode) => Hir::look(Look::WordAscii),
        HirKind::Look(Look::WordUnicodeNegate) => Hir::look(Look::WordAsciiNegate),
        HirKind::Look(look) => Hir::look(look),
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) => Hir::literal(literal.0),
        HirKind::Class(class) => Hir::class(class),
        HirKind::Repetition(mut repetition) => {
            repetition.sub = Box::new(ascii_words(*repetition.sub));
            Hir::repetition(repetition)
        }
        HirKind::Capture(capture) => ascii_words(*capture.sub),
        HirKind::Concat(parts) => Hir::concat(parts.into_iter().map(ascii_words).collect()),
        HirKind::Alternation(parts) => {
            Hir::alternation(parts.into_iter().map(ascii_words).collect())
        }
    }
}
