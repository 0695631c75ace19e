//! What the tools of a persona hold beside their form: references to secrets, and credentials that are none.

use super::table::Settings;
use crate::domain::key::Key;
use crate::domain::tool::PlainCredential;
use crate::domain::tool::references::references_of;

impl Settings {
    /// Each reference to a secret with its place, such as `/tools/0/headers/Authorization`.
    pub fn secret_references(&self) -> impl Iterator<Item = (String, Key)> {
        references_of(self.tools.as_deref().unwrap_or_default())
    }

    /// Credentials that are in the tools as plain text, with their places.
    pub fn plain_credentials(&self) -> impl Iterator<Item = PlainCredential> {
        let tools = self.tools.iter().flatten().enumerate();
        tools.flat_map(|(at, tool)| {
            let found = tool.plain_credentials().into_iter();
            found.map(move |mut plain| {
                plain.pointer.insert_str(0, &format!("/tools/{at}"));
                plain
            })
        })
    }
}
