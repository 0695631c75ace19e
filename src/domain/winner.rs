//! Which source gives a field its value.

use serde::{Deserialize, Serialize};

/// The source whose value a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Winner {
    /// The tenant's policy locks it.
    Lock,
    /// The user's preference.
    Preference,
    /// The persona version.
    Persona,
    /// The tenant's policy fills it in.
    Default,
    /// The gateway's default, where no source sets the field and Anam's own default is unclear or costly.
    Gateway,
}
