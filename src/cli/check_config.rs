//! `check-config`: reports every mistake in the configuration, or shows what is in force.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use crate::clock::Clock;
use crate::config::{Settings, environment, reference};
use crate::sessions::sweep::ends_soon;

/// The status for a configuration that `serve` would refuse.
const REFUSED: u8 = 2;

/// Checks the configuration that `serve` would use; without `--database`, without connecting to anything.
#[derive(Debug, clap::Args)]
pub struct CheckConfigArgs {
    /// Print the reference of all settings (docs/CONFIGURATION.md) instead.
    #[arg(long)]
    reference: bool,
    /// Look into the database too: whether the login role, the schema and the master key fit, and how long the ledger's months last.
    #[arg(long, conflicts_with = "reference")]
    database: bool,
}

/// Prints the configuration in force to standard output and gives 0, or prints every mistake to
/// standard error and gives 2.
pub async fn run(args: &CheckConfigArgs) -> anyhow::Result<ExitCode> {
    let (mut out, mut err) = (io::stdout(), io::stderr());
    if args.reference {
        out.write_all(reference().as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let status = check(&environment(), Path::new("config"), &mut out, &mut err)?;
    if status == 0 && args.database {
        return look_into_database().await;
    }
    Ok(ExitCode::from(status))
}

async fn look_into_database() -> anyhow::Result<ExitCode> {
    let local = super::database::open().await?;
    if let Some(notice) = local.schema.notice() {
        writeln!(io::stderr(), "{notice}")?;
    }
    let mut tx = local.database.platform().await?;
    let until = tx.ledger_ready_until().await?;
    tx.commit().await?;
    let summary = match until {
        None => "the ledger has no months: run `persona-gateway migrate`".to_owned(),
        Some(until) if ends_soon(until, Clock::system().now()) => {
            format!(
                "the ledger's months end on {}: run `persona-gateway migrate`",
                until.date_naive()
            )
        }
        Some(until) => {
            super::say(format_args!(
                "# The database fits; the ledger's months last until {}.",
                until.date_naive()
            ))?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    writeln!(io::stderr(), "{summary}")?;
    Ok(ExitCode::from(REFUSED))
}

fn check(
    env: &BTreeMap<String, String>,
    folder: &Path,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<u8> {
    match Settings::load(env, folder) {
        Ok(settings) => {
            out.write_all(settings.effective().as_bytes())?;
            Ok(0)
        }
        Err(errors) => {
            writeln!(err, "{errors}")?;
            Ok(REFUSED)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (status, standard output, standard error)
    fn checked(env: &[(&str, &str)]) -> (u8, String, String) {
        let env = env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let status = check(&env, Path::new("/no/such/folder"), &mut out, &mut err).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status, text(out), text(err))
    }

    #[test]
    fn a_good_configuration_is_shown_without_its_secrets() {
        let key = "AAEC7DFoL95WGReVL/eKeore/9D+vDct0mhxkWxGxjA=";
        let (status, out, err) = checked(&[
            ("DATABASE_URL", "postgres://app:canary@db/gateway"),
            ("GATEWAY_MASTER_KEY", key),
        ]);
        assert_eq!((status, err.as_str()), (0, ""));
        assert!(
            out.contains("[database]") && out.contains("url = \"***\""),
            "{out}"
        );
        assert!(!out.contains("canary") && !out.contains(key), "{out}");
    }

    #[test]
    fn a_bad_one_gives_status_2_and_all_its_mistakes() {
        let (status, out, err) = checked(&[("GATEWAY__SERVER__PORT", "x")]);
        assert_eq!((status, out.as_str()), (2, ""));
        assert!(
            err.starts_with("3 mistakes in the configuration:\n"),
            "{err}"
        );
        for subject in ["server.port", "database.url", "security.master_key"] {
            assert!(err.contains(&format!("\n  {subject}")), "{err}");
        }
    }
}
