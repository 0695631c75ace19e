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

# The one test that is a sample in `test`, whole: all hostile bytes in all places. Takes minutes.
every-byte:
    EVERY_BYTE=1 cargo test --test it http::bytes

# What a session token costs, beside a bare proxy and an Express server: docs/PERFORMANCE.md. `just bench --quick` takes a minute, once built.
bench *args:
    cargo bench --bench gateway -- {{args}}

# The long tests of faults: kills and stops under load, compared with the ledger. Takes some minutes; only this machine is asked.
soak *args:
    cargo test --test it -- --ignored --test-threads 1 faults:: {{args}}

# deploy/scale/ on this machine: each of its parts dies once under load (docs/SCALE.md). Takes two minutes; needs haproxy, pgbouncer and redis-server.
scale *args:
    cargo test --test it -- --ignored --test-threads 1 --nocapture faults::scale {{args}}

# Both container set-ups in a Docker of its own: docker-compose.yml, and deploy/scale/, each part of which dies once. Takes 10 to 20 minutes; needs root and docker.io.
containers *args:
    tests/containers.sh {{args}}

# Draw the pictures of docs/CONSOLE.md anew, after pages changed.
console-pictures:
    cargo test --test browser -- --ignored console::pictures

# What CI complains about.
lint:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings

# Format the sources.
fmt:
    cargo fmt

# All that CI does, in its order, but for advisories.
ci:
    .ci/run

# Licences, bans and sources of all crates (needs cargo-deny).
deny:
    cargo deny check bans licenses sources

# Refresh the checked SQL in .sqlx/ after a query or a migration changed. Brings its own database. With a new query the program does not
# build before this has run: it goes on with what was built before the change.
sqlx:
    cargo build --quiet --example with_database || echo "not built: going on with the one that is there"
    touch src/lib.rs
    rm -f .sqlx/query-*.json
    SQLX_OFFLINE=false SQLX_OFFLINE_DIR="{{justfile_directory()}}/.sqlx" target/debug/examples/with_database cargo check --quiet --lib

# Write the description of the HTTP API anew, after a route changed.
openapi:
    cargo run --quiet -- openapi > docs/openapi.json

# Ask the HTTP API everything that its description has, with two tenants' credentials. Brings its own service and schemathesis.
fuzz-api *args:
    tests/fuzz-api.sh {{args}}

# Write the schema of bundles anew, after what they may say changed.
schema:
    cargo run --quiet -- schema > docs/bundle.schema.json

# Write the reference of all settings anew, after config/default.toml changed.
config-reference:
    cargo run --quiet -- check-config --reference > docs/CONFIGURATION.md
