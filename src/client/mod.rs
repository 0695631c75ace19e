//! A small typed client of the gateway's own API, for programs that administer tenants: the command line's remote half, and
//! whoever adds this crate to their own. `examples/release.rs` is a whole walk.
//!
//! ```no_run
//! # async fn example() -> Result<(), persona_gateway::client::ClientError> {
//! use persona_gateway::client::{Client, Kind};
//!
//! let client = Client::new("http://localhost:8080", "pgk_...")?;
//! let draft = client.open_draft(Kind::Persona, "guide", "Shorter").await?;
//! let mut content = draft.content.clone();
//! content.insert("systemPrompt".into(), "Be brief.".into());
//! let draft = client.write_draft(&draft, content).await?;
//! let version = client.seal(&draft, "One sentence").await?;
//! client.release(Kind::Persona, "guide", version.number, None, "").await?;
//! # Ok(()) }
//! ```

mod admin;
mod error;
mod pages;
mod sign_in;
mod transport;
mod types;
mod user;

pub use self::error::{ClientError, Fault, Problem};
pub use self::sign_in::{SignIn, SignedIn};
pub use self::transport::{Client, ClientOptions};
pub use self::types::{
    Contexts, Document, Draft, Kind, Me, Minted, NewBundle, OpenContext, Persona, Release, Version,
};
pub use self::user::User;
