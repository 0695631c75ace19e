//! The command line: one file a command.

pub mod admin;
pub mod api_key;
pub mod apply;
pub mod audit;
pub mod check_config;
pub mod dev;
pub mod emulate;
pub mod export;
pub mod issuer_pair;
pub mod login;
pub mod master_key;
pub mod migrate;
pub mod openapi;
pub mod preferences;
pub mod schema;
pub mod serve;
pub mod shared_issuer;
pub mod tenant;

mod credentials;
mod database;
mod remote;
mod signals;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::tenants::refusal::Refusal;

/// Gives each logged-in user of a SaaS product the right AI persona: the user's JWT in, a personalised Anam session
/// token out.
///
/// New here? `persona-gateway dev` runs everything on this machine and prints a curl line to try.
#[derive(Debug, Parser)]
#[command(name = "persona-gateway", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Dev(dev::DevArgs),
    Serve(serve::ServeArgs),
    Migrate(migrate::MigrateArgs),
    Apply(apply::ApplyArgs),
    Export(export::ExportArgs),
    Login(login::LoginArgs),
    Logout(login::LogoutArgs),
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
    #[command(subcommand)]
    Admin(admin::AdminCommand),
    #[command(subcommand)]
    ApiKey(api_key::ApiKeyCommand),
    #[command(subcommand)]
    Preferences(preferences::PreferencesCommand),
    #[command(subcommand)]
    SharedIssuer(shared_issuer::SharedIssuerCommand),
    #[command(subcommand)]
    MasterKey(master_key::MasterKeyCommand),
    #[command(subcommand)]
    IssuerPair(issuer_pair::IssuerPairCommand),
    Emulate(emulate::EmulateArgs),
    CheckConfig(check_config::CheckConfigArgs),
    Openapi(openapi::OpenapiArgs),
    Schema(schema::SchemaArgs),
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    let outcome = runtime.block_on(async {
        match cli.command {
            Command::Dev(args) => Box::pin(dev::run(args)).await,
            Command::Serve(args) => Box::pin(serve::run(args)).await,
            Command::Migrate(args) => migrate::run(args).await,
            Command::Apply(args) => Box::pin(apply::run(args)).await,
            Command::Export(args) => export::run(args).await,
            Command::Login(args) => Box::pin(login::run(args)).await,
            Command::Logout(args) => login::out(args).await,
            Command::Audit(command) => Box::pin(audit::run(command)).await,
            Command::Tenant(command) => tenant::run(command).await,
            Command::Admin(command) => Box::pin(admin::run(command)).await,
            Command::ApiKey(command) => api_key::run(command).await,
            Command::Preferences(command) => Box::pin(preferences::run(command)).await,
            Command::SharedIssuer(command) => shared_issuer::run(command).await,
            Command::MasterKey(command) => master_key::run(command).await,
            Command::IssuerPair(command) => issuer_pair::run(command).await,
            Command::Emulate(args) => emulate::run(args).await.map(|()| ExitCode::SUCCESS),
            Command::CheckConfig(args) => check_config::run(&args).await,
            Command::Openapi(args) => openapi::run(args),
            Command::Schema(args) => schema::run(args),
        }
    });
    // Blocking work that nobody waits for any more must not hold the exit up.
    runtime.shutdown_background();
    outcome.unwrap_or_else(|error| fail(&error))
}

fn fail(error: &anyhow::Error) -> ExitCode {
    // Nothing else can be done where even standard error is gone.
    _ = writeln!(std::io::stderr(), "persona-gateway: {}", error_chain(error));
    ExitCode::FAILURE
}

/// An error and what caused it, each said once: many an error repeats its cause.
fn error_chain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text += &[": ", &cause].concat();
        }
    }
    text
}

/// Whether standard output is a terminal whose owner has nothing against colours (no-color.org).
fn wants_colour() -> bool {
    let refused = crate::config::environment()
        .get("NO_COLOR")
        .is_some_and(|value| !value.is_empty());
    std::io::stdout().is_terminal() && !refused
}

/// What a verb refused, in words for the command line.
fn refused(refusal: &Refusal) -> anyhow::Error {
    match refusal {
        Refusal::Invalid(faults) => {
            let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("{}", lines.join("\n"))
        }
        refusal => anyhow::anyhow!("{refusal}"),
    }
}

/// Prints a line for people or programs on standard output.
fn say(text: impl std::fmt::Display) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_error_says_already_is_not_said_again() {
        let error = anyhow::anyhow!("no route").context("the host is gone: no route");
        assert_eq!(error_chain(&error), "the host is gone: no route");
        let error = anyhow::anyhow!("no route").context("not sent");
        assert_eq!(error_chain(&error), "not sent: no route");
    }
}
