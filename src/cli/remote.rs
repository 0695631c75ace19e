//! A gateway elsewhere, asked over its admin API.

use std::path::PathBuf;

use anyhow::{Context, bail};
use secrecy::SecretString;

use crate::client::Client;

/// The environment variable that holds the key.
const KEY: &str = "PERSONA_GATEWAY_KEY";

/// Which gateway to ask, and with what.
#[derive(Debug, clap::Args)]
pub(super) struct RemoteArgs {
    /// Ask the gateway at this address instead of the database: https, or http on this machine.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// The file with the admin key for --server; without it, the environment variable `PERSONA_GATEWAY_KEY` holds the key.
    #[arg(long, value_name = "FILE", requires = "server")]
    key_file: Option<PathBuf>,
}

impl RemoteArgs {
    /// The gateway, where one is named.
    pub(super) fn client(&self) -> anyhow::Result<Option<Client>> {
        let Some(server) = &self.server else {
            return Ok(None);
        };
        Ok(Some(Client::new(server, self.key()?)?))
    }

    fn key(&self) -> anyhow::Result<SecretString> {
        if let Some(file) = &self.key_file {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("{} can't be read", file.display()))?;
            return Ok(SecretString::from(text.trim()));
        }
        match crate::config::environment().remove(KEY) {
            Some(key) if !key.trim().is_empty() => Ok(SecretString::from(key.trim())),
            _ => bail!("--server needs an admin key: set {KEY}, or name a file with --key-file"),
        }
    }
}
