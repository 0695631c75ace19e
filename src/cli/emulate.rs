//! `persona-gateway emulate`: the stand-in for Anam alone, for pages and gateways to be tried on.

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::signals::StopSignals;
use crate::dev::emulator::{Emulator, EmulatorConfig, EmulatorError, Mode};

/// Runs the stand-in for Anam alone, until Ctrl-C.
#[derive(Debug, Clone, Args)]
pub struct EmulateArgs {
    /// Port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 8790)]
    port: u16,
    /// Address to listen on.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// Time to add to every answer, such as 50ms or 2s.
    #[arg(long, default_value = "0ms", value_parser = duration)]
    latency: Duration,
    /// Mint for nearly every body, as Anam does; without this, refuse what would fail later.
    #[arg(long)]
    lax: bool,
    /// Sessions that one API key may have running at once; unlimited when left out.
    #[arg(long)]
    concurrency: Option<u32>,
    /// Print one line of JSON, {"anam": URL}, in place of the greeting.
    #[arg(long)]
    json: bool,
}

/// Serves until Ctrl-C or a termination signal.
pub async fn run(args: EmulateArgs) -> anyhow::Result<()> {
    let mut signals = StopSignals::install()?;
    let emulator = Emulator::start(EmulatorConfig {
        bind: SocketAddr::from((args.bind, args.port)),
        mode: if args.lax { Mode::Lax } else { Mode::Strict },
        latency: args.latency,
        concurrency: args.concurrency,
        ..EmulatorConfig::default()
    })
    .map_err(|error| match error {
        EmulatorError::Bind { .. } => {
            anyhow::anyhow!("{error}. `--port PORT` takes another, `--port 0` any that is free")
        }
        error @ EmulatorError::NoRandomness => error.into(),
    })?;
    let url = emulator.url();
    let greeting = if args.json {
        json!({ "anam": url }).to_string()
    } else {
        greeting(&url, args.lax)
    };
    // In a block of its own: the lock on standard output must not be held while serving.
    {
        let mut out = io::stdout().lock();
        writeln!(out, "{greeting}")?;
        out.flush()?;
    }
    signals.next().await;
    emulator.stop().await;
    Ok(())
}

fn greeting(url: &str, lax: bool) -> String {
    let mode = if lax { "lax" } else { "strict" };
    format!(
        "Anam emulator ({mode}) at {url}; any API key is good. Ctrl-C stops it.

Mint a session token:
  curl {url}/v1/auth/session-token -H 'Authorization: Bearer any' -H 'Content-Type: application/json' \\
    -d '{{\"personaConfig\":{{\"avatarId\":\"071b0286-4cce-4808-bee2-e642f1062de3\",\
\"voiceId\":\"de23e340-1416-4dd8-977d-065a7ca11697\",\
\"llmId\":\"a7cf662c-2ace-4de1-a21e-ef0fbf144bb7\",\"systemPrompt\":\"You are kind.\"}}}}'
See what it received:
  curl {url}/_emulator/requests
Make the next two mints fail:
  curl {url}/_emulator/faults -d '{{\"on\":\"mint\",\"status\":503,\"times\":2}}'
Forget both:
  curl -X DELETE {url}/_emulator/faults"
    )
}

/// Reads a whole number with its unit: `ms`, `s` or `m`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = text.strip_prefix(digits).unwrap_or_default();
    let in_milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        _ => return Err("write a whole number and its unit: 50ms, 2s, 1m".to_owned()),
    };
    let number: u32 = digits
        .parse()
        .map_err(|error| format!("{digits:?} is no whole number: {error}"))?;
    Ok(Duration::from_millis(u64::from(number) * in_milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_whole_number_and_a_unit() {
        assert_eq!(duration("50ms"), Ok(Duration::from_millis(50)));
        assert_eq!(duration("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("1m"), Ok(Duration::from_mins(1)));
        for nonsense in ["", "50", "ms", "1.5s", "-1s", "5 s", "1h"] {
            assert!(duration(nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn the_mint_in_the_greeting_is_json() {
        let greeting = greeting("http://127.0.0.1:8790", false);
        let body = greeting.split("-d '").nth(1).unwrap();
        let body = body.split('\'').next().unwrap();
        assert!(
            serde_json::from_str::<serde_json::Value>(body).is_ok(),
            "{body}"
        );
    }
}
