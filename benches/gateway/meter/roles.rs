//! Parts that run as processes of their own, so that what they cost is told apart: this program again, with a role in its environment.

use std::process::Command;

use anyhow::{Context as _, bail};

use super::{bare_proxy, stand_in};

const VARIABLE: &str = "PERSONA_GATEWAY_BENCH_ROLE";
/// For the program of tests: they lead libtest to the test that calls [`play`]. The benchmark itself calls it before it reads any.
const ARGUMENTS: [&str; 3] = ["--exact", "whole::plays_a_role", "--nocapture"];

/// One part.
#[derive(Debug)]
pub(super) enum Role<'a> {
    StandIn {
        port: u16,
        api_key: &'a str,
    },
    BareProxy {
        port: u16,
        anam: &'a str,
        api_key: &'a str,
    },
}

impl Role<'_> {
    /// This program in this role.
    pub(super) fn command(&self) -> anyhow::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        let role = match self {
            Self::StandIn { port, api_key } => format!("stand-in {port} {api_key}"),
            Self::BareProxy {
                port,
                anam,
                api_key,
            } => format!("bare-proxy {port} {api_key} {anam}"),
        };
        command.args(ARGUMENTS).env(VARIABLE, role);
        Ok(command)
    }
}

/// Plays the role that the environment names, until the process is stopped; none if it names none.
pub(crate) fn play() -> Option<anyhow::Result<()>> {
    let role = persona_gateway::config::environment().remove(VARIABLE)?;
    Some(played(&role))
}

fn played(role: &str) -> anyhow::Result<()> {
    let words: Vec<&str> = role.split(' ').collect();
    match words.as_slice() {
        ["stand-in", port, api_key] => {
            stand_in::serve(port.parse()?, api_key).context("Anam's stand-in")
        }
        ["bare-proxy", port, api_key, anam] => {
            bare_proxy::serve(port.parse()?, anam, api_key).context("the bare proxy")
        }
        _ => bail!("{VARIABLE} names no role: {role}"),
    }
}
