//! What attackers send instead of a token or a key set, and what issuers get wrong: one name per
//! case, each one refused for its own reason, and the good ones beside them accepted.
//!
//! A bad case is signed with the right key wherever that makes sense, so that only the rule under
//! test can refuse it. (`cfg(test)` tells clippy that helpers are test code too.)

#[cfg(test)]
mod as_they_are;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod directory;
#[cfg(test)]
mod explaining;
#[cfg(test)]
mod forms;
#[cfg(test)]
mod identity_provider;
#[cfg(test)]
mod introspection;
#[cfg(test)]
mod jwks;
#[cfg(test)]
mod key_sets;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod outbound;
#[cfg(test)]
mod piecewise;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod providers;
#[cfg(test)]
mod sso;
#[cfg(test)]
mod tokens;
