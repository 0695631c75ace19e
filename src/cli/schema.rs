//! `schema`: the description of bundles.

use std::io::Write;
use std::process::ExitCode;

/// Prints the JSON Schema of bundles, by which editors complete and check them.
///
/// Write it beside your bundles, and begin each with `# yaml-language-server: $schema=bundle.schema.json`.
#[derive(Debug, clap::Args)]
pub struct SchemaArgs {}

/// Prints it.
pub fn run(_: SchemaArgs) -> anyhow::Result<ExitCode> {
    std::io::stdout().write_all(crate::authoring::schema::document().as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
