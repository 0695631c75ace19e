//! Avatars, voices, LLMs, tools and stored personas: the stock that Anam prints in its public
//! documentation, and enough made-up rows that paging matters.

mod rows;
mod stock;

pub(super) use rows::{Avatar, Llm, Persona, Provider, Tool, Voice};

/// Everything that an id in a persona can name.
#[derive(Debug)]
pub(super) struct Catalogue {
    pub(super) avatars: Vec<Avatar>,
    pub(super) voices: Vec<Voice>,
    pub(super) llms: Vec<Llm>,
    pub(super) tools: Vec<Tool>,
    pub(super) personas: Vec<Persona>,
}

impl Catalogue {
    pub(super) fn avatar(&self, id: &str) -> Option<&Avatar> {
        self.avatars.iter().find(|row| is_same_id(&row.id, id))
    }

    pub(super) fn voice(&self, id: &str) -> Option<&Voice> {
        self.voices.iter().find(|row| is_same_id(&row.id, id))
    }

    pub(super) fn llm(&self, id: &str) -> Option<&Llm> {
        self.llms.iter().find(|row| is_same_id(&row.id, id))
    }

    pub(super) fn tool(&self, id: &str) -> Option<&Tool> {
        self.tools.iter().find(|row| is_same_id(&row.id, id))
    }

    pub(super) fn persona(&self, id: &str) -> Option<&Persona> {
        self.personas.iter().find(|row| is_same_id(&row.id, id))
    }
}

/// UUIDs compare without regard to case (RFC 9562, section 4).
fn is_same_id(known: &str, asked: &str) -> bool {
    known.eq_ignore_ascii_case(asked)
}
