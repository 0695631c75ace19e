//! `serve`: the service itself.

use std::process::ExitCode;

use super::signals::StopSignals;
use crate::app::App;
use crate::clock::Clock;
use crate::config::Settings;
use crate::telemetry::logging;

/// Serves users. Needs only the environment: `DATABASE_URL` and `GATEWAY_MASTER_KEY`.
///
/// Optional: `ANAM_API_KEY` (the platform's key), `ANAM_BASE_URL`, and every setting as `GATEWAY__SECTION__KEY`; see
/// `check-config --reference`. Each secret can also be in a file that `..._FILE` names. SIGTERM drains: requests under
/// way end first; a second signal ends at once.
#[derive(Debug, clap::Args)]
pub struct ServeArgs {}

/// Serves until a signal.
pub async fn run(_: ServeArgs) -> anyhow::Result<ExitCode> {
    let settings = match Settings::from_environment() {
        Ok(settings) => settings,
        Err(errors) => {
            use std::io::Write;
            writeln!(std::io::stderr(), "{errors}")?;
            return Ok(ExitCode::from(2));
        }
    };
    let _log = logging::init_in_background(&settings.log)?;
    let mut signals = StopSignals::install()?;
    let app = tokio::select! {
        started = App::start(&settings, Clock::system()) => started?,
        () = signals.next() => return Ok(ExitCode::FAILURE),
    };
    let failed = tokio::select! {
        () = signals.next() => false,
        () = app.lifecycle.failed() => true,
    };
    tracing::info!("stopping");
    tokio::select! {
        clean = app.stop() => Ok(if clean && !failed { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
        () = signals.next() => Ok(ExitCode::FAILURE),
    }
}
