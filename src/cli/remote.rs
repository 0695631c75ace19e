//! A remote gateway, through its admin API.

use std::path::PathBuf;

use anyhow::{Context, bail};
use secrecy::SecretString;

use super::credentials;
use crate::client::Client;
use crate::clock::Clock;
use crate::domain::encoding;

/// The environment variable that holds the key.
const KEY: &str = "PERSONA_GATEWAY_KEY";

/// Which gateway to ask, and with what.
#[derive(Debug, clap::Args)]
pub(super) struct RemoteArgs {
    /// Ask the gateway at this address instead of the database: https, or http on this machine.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// The file with the admin key for --server; without it, the environment variable `PERSONA_GATEWAY_KEY` holds the key, else
    /// the sign-in of `persona-gateway login` is used.
    #[arg(long, value_name = "FILE", requires = "server")]
    key_file: Option<PathBuf>,
}

impl RemoteArgs {
    /// The gateway, where one is named.
    pub(super) fn client(&self) -> anyhow::Result<Option<Client>> {
        let Some(server) = &self.server else {
            return Ok(None);
        };
        Ok(Some(Client::new(server, self.key(server)?)?))
    }

    fn key(&self, server: &str) -> anyhow::Result<SecretString> {
        if let Some(file) = &self.key_file {
            let bytes =
                std::fs::read(file).with_context(|| format!("{} can't be read", file.display()))?;
            let read = encoding::text(&bytes).map_err(|fault| fault.to_string());
            return match read.and_then(|text| Ok(SecretString::from(encoding::value(&text)?))) {
                Ok(key) => Ok(key),
                Err(why) => bail!("{}: {why}", file.display()),
            };
        }
        if let Some(key) = crate::config::environment().remove(KEY)
            && !key.trim().is_empty()
        {
            return match encoding::value(&key) {
                Ok(key) => Ok(SecretString::from(key)),
                Err(why) => bail!("{KEY}: {why}"),
            };
        }
        // The address as a client writes it.
        let base = Client::address(server)?;
        match credentials::find(&base)? {
            Some(kept) if kept.expires_at > Clock::system().now() => Ok(kept.token),
            Some(kept) => bail!(
                "the sign-in at {base} has ended: `persona-gateway login --server {server} --tenant {}`, or set {KEY}",
                kept.tenant
            ),
            None => bail!(
                "--server needs an admin key: set {KEY}, name a file with --key-file, or sign in with `persona-gateway login`"
            ),
        }
    }
}
