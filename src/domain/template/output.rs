//! The output: every value that is printed passes here, is cleaned, capped and, where it must be, fenced.

use std::borrow::Cow;

use super::{
    Rendered, Size, TemplateKind,
    budget::Budget,
    fault::RenderFault,
    input::{TemplateInput, Trust},
    origin::Notes,
    value::Val,
};
use crate::domain::text::{Cleaned, block, is_part, line, seen_end};

/// Caller-supplied text in one prompt, all values together, in characters.
pub(super) const CALLER_TOTAL_CHARS: usize = 8_000;
/// One caller-supplied value in a prompt, in characters.
pub(super) const CALLER_CHARS: usize = 2_000;
/// One fact of the token in a prompt, in characters.
pub(super) const FACT_CHARS: usize = 200;
/// A fact of at most this many characters and words may go without a fence, if it is plain: names, plans, places.
const PLAIN_FACT_CHARS: usize = 60;
const PLAIN_FACT_WORDS: usize = 6;
/// One value that people see or hear, in characters.
const SPOKEN_CHARS: usize = 80;
/// One text of the tenant, in characters.
pub(super) const TENANT_CHARS: usize = 4_000;
/// Room to start with: most prompts are shorter.
const EXPECTED_BYTES: usize = 2_048;

/// Signs before which no space stands where a value is missing: "Hello, how are you" rather than "Hello , how are you".
const CLOSING: [char; 6] = [',', '.', ';', ':', '!', '?'];

/// The output of one rendering.
pub(super) struct Page<'r> {
    kind: TemplateKind,
    input: &'r TemplateInput<'r>,
    text: String,
    chars: usize,
    fenced: usize,
    caller_chars: usize,
    caller_chars_left: usize,
    cut: bool,
    /// A value that people were to hear came out as nothing, after a space.
    gap: bool,
    /// Where the text comes from, if somebody asks.
    pub(super) notes: Option<Notes>,
}

impl<'r> Page<'r> {
    pub(super) fn new(
        kind: TemplateKind,
        input: &'r TemplateInput<'r>,
        budget: &mut Budget,
    ) -> Result<Self, RenderFault> {
        budget.build(EXPECTED_BYTES)?;
        let already: usize = input
            .snippets
            .values()
            .map(|snippet| snippet.caller_chars)
            .sum();
        Ok(Self {
            kind,
            input,
            text: String::with_capacity(EXPECTED_BYTES),
            chars: 0,
            fenced: 0,
            caller_chars: 0,
            caller_chars_left: CALLER_TOTAL_CHARS.saturating_sub(already),
            cut: false,
            gap: false,
            notes: input.notes_origins.then(Notes::new),
        })
    }

    /// What was written so far.
    pub(super) fn size(&self) -> Size {
        Size {
            chars: self.chars,
            bytes: self.text.len(),
        }
    }

    /// A cap cut something before it came here.
    pub(super) fn note_cut(&mut self) {
        self.cut = true;
    }

    pub(super) fn snippet(&mut self, key: &str, budget: &mut Budget) -> Result<(), RenderFault> {
        let input = self.input;
        let snippet = input
            .snippets
            .get(key)
            .ok_or_else(|| RenderFault::SnippetMissing(key.to_owned()))?;
        self.fenced = self.fenced.saturating_add(snippet.fenced);
        self.cut |= snippet.cut;
        if let Some(notes) = &mut self.notes {
            notes.added_snippet(self.text.len(), key, &snippet.ends);
        }
        self.push(&snippet.text, budget)
    }

    /// A value, as far as whoever wrote it is trusted.
    pub(super) fn print(
        &mut self,
        value: &Val<'_>,
        budget: &mut Budget,
    ) -> Result<(), RenderFault> {
        let trust = value.trust();
        if self.kind.is_spoken() {
            // A map read aloud helps nobody.
            let text = if value.is_list_or_map() {
                value.joined(", ", budget)?
            } else {
                Some(value.to_text(budget)?)
            };
            let most = if trust == Trust::Tenant {
                TENANT_CHARS
            } else {
                SPOKEN_CHARS
            };
            return text.map_or(Ok(()), |text| {
                let line = self.cleaned(line, &text, most, budget)?;
                self.gap |= line.is_empty() && self.text.ends_with(' ');
                self.push(&line, budget)
            });
        }
        let text = value.to_text(budget)?;
        match trust {
            Trust::Tenant => {
                let block = self.cleaned(block, &text, TENANT_CHARS, budget)?;
                self.push(&block, budget)
            }
            Trust::Issuer => {
                let fact = self.cleaned(line, &text, FACT_CHARS, budget)?;
                budget.change(fact.len())?;
                if is_plain(&fact) {
                    self.push(&fact, budget)
                } else {
                    self.push_fenced(&fact, budget)
                }
            }
            Trust::Caller => {
                let most = CALLER_CHARS.min(self.caller_chars_left);
                let block = self.cleaned(block, &text, most, budget)?;
                budget.read(block.len())?;
                let chars = block.chars().count();
                self.caller_chars = self.caller_chars.saturating_add(chars);
                self.caller_chars_left = self.caller_chars_left.saturating_sub(chars);
                self.push_fenced(&block, budget)
            }
        }
    }

    /// A clean text, and a note if its cap cut it. Cleaning stops at the cap, so only what it looks at is paid for; it looks at
    /// no more than can be.
    fn cleaned<'t>(
        &mut self,
        clean: for<'c> fn(&'c str, usize) -> Cleaned<'c>,
        text: &'t str,
        most: usize,
        budget: &mut Budget,
    ) -> Result<Cow<'t, str>, RenderFault> {
        let affordable = text.floor_char_boundary(budget.changeable());
        let cleaned = clean(text.get(..affordable).unwrap_or_default(), most);
        budget.change(cleaned.read)?;
        if !cleaned.cut && affordable < text.len() {
            return budget.change(text.len()).map(|()| cleaned.text);
        }
        self.cut |= cleaned.cut;
        Ok(cleaned.text)
    }

    /// One line is between its marks in place; several lines are on lines of their own.
    fn push_fenced(&mut self, text: &str, budget: &mut Budget) -> Result<(), RenderFault> {
        if text.is_empty() {
            return Ok(());
        }
        self.fenced = self.fenced.saturating_add(1);
        let input = self.input;
        let space = if text.contains('\n') { "\n" } else { " " };
        self.push_own(input.fence.opening(), budget)?;
        self.push_own(space, budget)?;
        self.push(text, budget)?;
        self.push_own(space, budget)?;
        self.push_own(input.fence.closing(), budget)
    }

    /// The gateway's own text.
    fn push_own(&mut self, text: &str, budget: &mut Budget) -> Result<(), RenderFault> {
        // Noted first, so that it is not taken for the value that is being printed.
        if let Some(notes) = &mut self.notes {
            notes.added_by_gateway(self.text.len().saturating_add(text.len()));
        }
        self.push(text, budget)
    }

    /// Text that is safe as it is.
    pub(super) fn push(&mut self, text: &str, budget: &mut Budget) -> Result<(), RenderFault> {
        budget.append(text.len())?;
        if !text.is_empty() && std::mem::take(&mut self.gap) && text.starts_with(CLOSING) {
            self.text.pop();
            self.chars = self.chars.saturating_sub(1);
        }
        self.chars = self.chars.saturating_add(text.chars().count());
        if self.chars > Size::CAP.chars
            || self.text.len().saturating_add(text.len()) > Size::CAP.bytes
        {
            return Err(RenderFault::TooLong {
                max_chars: Size::CAP.chars,
                max_bytes: Size::CAP.bytes,
            });
        }
        self.text.push_str(text);
        if let Some(notes) = &mut self.notes {
            notes.added(self.text.len());
        }
        Ok(())
    }

    pub(super) fn finish(mut self, budget: &mut Budget) -> Result<Rendered, RenderFault> {
        if let Some(most) = self.kind.max_spoken_chars() {
            budget.change(self.text.len())?;
            let (text, cut) = one_paragraph(&self.text, most);
            return Ok(Rendered {
                text,
                fenced: 0,
                caller_chars: 0,
                cut: self.cut || cut,
                // What people see or hear is cut and joined again; nobody asks where it comes from.
                ends: Vec::new(),
            });
        }
        if self.kind == TemplateKind::Prompt && self.fenced > 0 {
            let explanation = self.input.fence.explanation();
            self.push_own("\n\n", budget)?;
            self.push_own(&explanation, budget)?;
        }
        Ok(Rendered {
            text: self.text,
            fenced: self.fenced,
            caller_chars: self.caller_chars,
            cut: self.cut,
            ends: self.notes.map(Notes::into_ends).unwrap_or_default(),
        })
    }
}

/// White space runs become one space; at most `most` characters. Whether any were cut.
fn one_paragraph(text: &str, most: usize) -> (String, bool) {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    match line.char_indices().nth(most) {
        Some((at, _)) => {
            line.truncate(seen_end(&line, at));
            line.truncate(line.trim_end().len());
            (line, true)
        }
        None => (line, false),
    }
}

/// Whether a fact is no more than a name, a plan, a place or a list of them: short, few words, no sentence signs.
fn is_plain(fact: &str) -> bool {
    fact.chars().count() <= PLAIN_FACT_CHARS
        && fact.split(' ').count() <= PLAIN_FACT_WORDS
        && fact.chars().all(|c| {
            c.is_alphanumeric()
                || is_part(c)
                || matches!(
                    c,
                    ' ' | '\'' | '\u{2019}' | '-' | '.' | '_' | '@' | '+' | '&' | ',' | '/'
                )
        })
}
