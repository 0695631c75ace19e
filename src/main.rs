//! The binary: see `persona-gateway --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    persona_gateway::cli::main()
}
