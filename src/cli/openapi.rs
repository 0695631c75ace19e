//! `openapi`: the description of the API.

use std::io::Write;
use std::process::ExitCode;

/// Prints the OpenAPI 3.1 document of the HTTP API, as served at /v1/openapi.json.
#[derive(Debug, clap::Args)]
pub struct OpenapiArgs {}

/// Prints it.
pub fn run(_: OpenapiArgs) -> anyhow::Result<ExitCode> {
    std::io::stdout().write_all(crate::api::openapi::document().as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
