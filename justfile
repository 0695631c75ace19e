# Shortcuts. `just` lists them; each line also works typed by hand.

[private]
default:
    @just --list

# Run everything on this machine: Postgres, issuer, Anam's stand-in, a demo tenant.
dev *args:
    cargo run -- dev {{args}}

# All tests. The browser tests want chromium, chromedriver and npm.
test *args:
    cargo test {{args}}

# What CI complains about.
lint:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings

# Format the sources.
fmt:
    cargo fmt

# Licences, bans and sources of all crates (needs cargo-deny).
deny:
    cargo deny check bans licenses sources

# DATABASE_URL must be the owner's URL of a migrated database, such as the one that `dev` prints.
#
# Refresh the checked SQL in .sqlx/ after a query or a migration changed.
sqlx:
    touch src/lib.rs
    SQLX_OFFLINE=false SQLX_OFFLINE_DIR="{{justfile_directory()}}/.sqlx" cargo check --all-targets

# Print the description of the HTTP API.
openapi:
    @cargo run --quiet -- openapi

# Write the reference of all settings anew, after config/default.toml changed.
config-reference:
    cargo run --quiet -- check-config --reference > docs/CONFIGURATION.md
