//! The prompt sandbox: templates that tenants' admins write, rendered with values that users send.
//!
//! Jinja syntax, read by minijinja's parser (under `template/lower` only) and lowered to a small language of our own:
//! text, `{{ }}`, `if`, `for`, comparisons, a list of filters. It has no assignment, no repetition, no calls and no state, and one
//! [`Budget`] pays for every step and byte of a session's texts, before it is done. (minijinja's own machine bounds neither
//! time nor memory: fuel counts instructions, not what one of them does.)
//!
//! Four rules make values safe to print, and authors cannot forget any of them:
//! - Values are never source: one pass, and the output is never read as a template.
//! - Trust goes with the root. `metadata` and `preferences` are the caller's, `user` is the issuer's, the rest is the tenant's.
//!   Filters pass the mark on.
//! - In a prompt, the caller's text is cleaned, capped (2,000 characters a value, 8,000 together) and fenced. A fact of the
//!   token is cleaned to a line of at most 200 characters, and fenced unless it is plain and short, as names and plans are.
//!   Numbers and flags cannot instruct anybody and stay bare.
//! - In a greeting or a name, which people hear and see, each value is one clean line of at most 80 characters.
//!
//! An absent value, a value of another type and a division by zero print as nothing: one user who lacks one fact must not
//! lose the session. Only names outside [`Root`] are faults, when the template is saved; [`Template::variables`] tells sealing which
//! paths are printed without a default.

mod budget;
mod eval;
mod fault;
mod fence;
mod filters;
mod input;
mod lower;
mod maximum;
mod minimum;
mod origin;
mod output;
mod program;
mod render;
mod size;
mod value;

use std::borrow::Cow;
use std::collections::BTreeSet;

pub use self::{
    budget::Budget,
    fault::{RenderFault, TemplateFault},
    fence::Fence,
    input::{Root, TemplateInput},
    maximum::ValueLimits,
    minimum::MinimumCost,
    origin::{Origin, Piece, Source},
    size::Size,
};

/// What a template is for, which sets its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TemplateKind {
    /// A system prompt. Values are fenced; the output is at most 32,000 characters and 64 kB.
    Prompt,
    /// Text that prompts include; it cannot include others. Fenced and capped as a prompt.
    Snippet,
    /// What the persona says first: one paragraph of at most 1,000 characters.
    Greeting,
    /// What the persona is called: one line of at most 80 characters.
    Name,
}

impl TemplateKind {
    /// Longest source, in bytes.
    pub const fn max_source_bytes(self) -> usize {
        match self {
            Self::Prompt | Self::Snippet => 16 * 1024,
            Self::Greeting => 4 * 1024,
            Self::Name => 1024,
        }
    }

    /// Where people hear or see the output: its longest length in characters; longer output is cut.
    const fn max_spoken_chars(self) -> Option<usize> {
        match self {
            Self::Prompt | Self::Snippet => None,
            Self::Greeting => Some(1_000),
            Self::Name => Some(80),
        }
    }

    const fn is_spoken(self) -> bool {
        self.max_spoken_chars().is_some()
    }
}

/// A template that was checked; rendering an ordinary one takes microseconds.
#[derive(Debug)]
pub struct Template {
    kind: TemplateKind,
    nodes: Box<[program::Node]>,
    variables: Vec<VariableUse>,
    snippets: Vec<String>,
}

impl Template {
    /// Checks and compiles a source; line breaks of any spelling become `\n`, since forms send `\r\n`. On failure every fault is
    /// reported that could be found, in the order of the source: a tag that can't be read hides no other.
    pub fn compile(source: &str, kind: TemplateKind) -> Result<Self, Vec<TemplateFault>> {
        let lower::Lowered {
            nodes,
            variables,
            snippets,
        } = lower::lower(&unix_lines(source), kind)?;
        Ok(Self {
            kind,
            nodes,
            variables,
            snippets,
        })
    }

    /// The uses of values in a source that does not compile, as far as they can be read. Where a tag can't, no use counts as unguarded.
    pub fn uses_in(source: &str, kind: TemplateKind) -> Vec<VariableUse> {
        lower::survey(&unix_lines(source), kind).variables
    }

    /// What an author may not have meant in a source that compiles.
    pub fn doubts(source: &str) -> Vec<TemplateFault> {
        lower::doubts(&unix_lines(source))
    }

    /// Every use of a value, in the order of the source. Sealing compares them with the declared facts and the schema of the metadata.
    pub fn variables(&self) -> &[VariableUse] {
        &self.variables
    }

    /// Keeps the first use of each value alone: with all of them, a live prompt takes twice the memory of its text.
    pub fn forget_repetitions(&mut self) {
        let mut paths = BTreeSet::new();
        self.variables
            .retain(|used| paths.insert(used.path.clone()));
        self.variables.shrink_to_fit();
    }

    /// Keys of the snippets that the template prints, each once. They must be in the input of [`Self::render`].
    pub fn snippets(&self) -> &[String] {
        &self.snippets
    }

    /// The text for these values, paid for from the session's budget. The same values give the same text, as long as there is enough
    /// of it.
    pub fn render(
        &self,
        input: &TemplateInput<'_>,
        budget: &mut Budget,
    ) -> Result<Rendered, RenderFault> {
        render::render(&self.nodes, self.kind, input, budget)
    }
}

fn unix_lines(source: &str) -> Cow<'_, str> {
    if source.contains('\r') {
        Cow::Owned(source.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(source)
    }
}

/// One use of a value in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableUse {
    /// Dotted path such as `user.plan`; `*` stands for the items of a list: `metadata.orders.*.id`.
    pub path: String,
    /// The same as the template says it: `order.id` in a loop over orders.
    pub said: String,
    /// Whether it is said of a loop's item, so that each list on its way is there.
    pub of_item: bool,
    /// Whether the template copes where the value is absent: it has a `default`, it is only compared or looped over, it is a loop's item,
    /// or it is under a condition that proves it. Where not, an absent value prints as nothing.
    pub guarded: bool,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
}

/// The output of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    text: String,
    fenced: usize,
    caller_chars: usize,
    cut: bool,
    ends: Vec<origin::End>,
}

impl Rendered {
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text, owned.
    pub fn into_text(self) -> String {
        self.text
    }

    /// Where each piece of it comes from; none unless the input asked for it with [`TemplateInput::noting_origins`].
    pub fn pieces(&self) -> Vec<Piece> {
        origin::pieces(&self.text, &self.ends)
    }

    /// How many values are between fences, those of snippets included.
    pub fn fenced(&self) -> usize {
        self.fenced
    }

    /// Characters of caller-supplied text that this template itself printed between fences.
    pub fn caller_chars(&self) -> usize {
        self.caller_chars
    }

    /// Whether a cap cut a value, a long list or the whole text.
    pub fn was_cut(&self) -> bool {
        self.cut
    }
}
