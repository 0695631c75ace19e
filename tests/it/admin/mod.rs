//! Who may administer, and what they may.

mod api_keys;
pub(crate) mod authorization;
mod operators;
mod patching;
mod people;
mod second_factor;
mod sign_in;
mod sso;
mod sso_code;
mod step_up;
