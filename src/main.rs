//! The binary: see `persona-gateway --help`.

use std::process::ExitCode;

/// Spends less on small allocations than the system's: docs/decisions/0039-what-a-session-token-costs.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    persona_gateway::cli::main()
}
