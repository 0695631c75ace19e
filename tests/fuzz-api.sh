#!/usr/bin/env bash
# Fuzzes the HTTP API by its own description (docs/openapi.json, as served) with schemathesis, with the credentials of two
# tenants in turn. Finds: answers of 500 and above, statuses, bodies and headers that the description does not have, texts of
# the other tenant in answers, and changes of the other tenant's rows.
#
#   tests/fuzz-api.sh [SECONDS for each of the three runs, 120] [SEED]
#
# Brings its own database (`persona-gateway dev` in a temporary folder), emulator and schemathesis (in a virtual environment).
# KEEP=1 keeps the folder with the reports; PERSONA_GATEWAY names a program that is built already.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-120}
seed=${2:-$(date +%s)}
SCHEMATHESIS=4.32.5

work=$(mktemp -d)
# As root, the database runs as another user, who has to pass.
chmod 711 "$work"
service=
finish() {
  status=$?
  trap - EXIT
  [ -z "$service" ] || { kill -INT "$service" 2>/dev/null && wait "$service" 2>/dev/null; } || true
  if [ -n "${KEEP:-}" ]; then echo "kept: $work"; else rm -rf "$work"; fi
  exit "$status"
}
trap finish EXIT
step() { printf '\n== %s\n' "$*"; }

step "program"
program=${PERSONA_GATEWAY:-}
if [ -z "$program" ]; then
  cargo build --quiet
  program=target/debug/persona-gateway
fi

step "schemathesis $SCHEMATHESIS"
venv=${FUZZ_VENV:-$work/venv}
[ -x "$venv/bin/schemathesis" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$SCHEMATHESIS"

step "service"
export GATEWAY__LIMITS__USER_MINTS_PER_MINUTE=0 GATEWAY__LIMITS__ADMIN_REQUESTS_PER_MINUTE=0
"$program" dev --port 0 --json --data "$work/data" >"$work/ready" 2>"$work/log" &
service=$!
for _ in $(seq 600); do
  [ ! -s "$work/ready" ] || break
  kill -0 "$service" || { cat "$work/log"; exit 1; }
  sleep 0.1
done
ready() { python3 -c 'import json, sys; print(json.loads(open(sys.argv[1]).readline())[sys.argv[2]])' "$work/ready" "$1"; }
gateway=$(ready gateway)
owner_url=$(ready databaseUrl)
psql=$(command -v psql || ls /usr/lib/postgresql/*/bin/psql | tail -1)

step "two tenants"
# The role that the gateway logs in as, in the same database: the commands refuse a more powerful one.
DATABASE_URL=$(python3 -c '
import sys
from urllib.parse import urlsplit, urlunsplit
url = urlsplit(sys.argv[1])
host = url.netloc.rpartition("@")[2]
print(urlunsplit(url._replace(netloc=f"persona_gateway_app@{host}")))' "$owner_url")
GATEWAY_MASTER_KEY=$(cat "$work/data/master-key")
export DATABASE_URL GATEWAY_MASTER_KEY
declare -A key canary
for tenant in one two; do
  canary[$tenant]="canary-$tenant-$(od -An -N4 -tx4 /dev/urandom | tr -d ' ')"
  sed "s/CANARY/${canary[$tenant]}/g; s/SLUG/$tenant/" tests/fuzz/rival.yaml >"$work/$tenant.yaml"
  FUZZ_PROVIDER_KEY="${canary[$tenant]}-key" "$program" apply "$work/$tenant.yaml" >/dev/null
  key[$tenant]=$("$program" api-key create --tenant "$tenant" --name "${canary[$tenant]}" --role owner --json |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["key"])')
done
unset DATABASE_URL GATEWAY_MASTER_KEY
sql() { "$psql" --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 "$owner_url" --command "$1"; }
tenant_id() { sql "select id from tenant where slug = '$1'"; }
tables=$(sql "select table_name from information_schema.columns join information_schema.tables using (table_schema, table_name)
  where table_schema = 'public' and column_name = 'tenant_id' and table_type = 'BASE TABLE' order by 1")

# One line a table: what it holds of a tenant. When a key was used last is no change.
picture() {
  local id table
  id=$(tenant_id "$1")
  for table in $tables; do
    sql "select '$table ' || count(*) || ' ' || md5(coalesce(string_agg(r::text, ',' order by r::text), ''))
         from (select to_jsonb(t) - 'last_used_at' as r from $table t where tenant_id = '$id') rows"
  done
  sql "select 'tenant ' || md5(to_jsonb(t)::text) from tenant t where id = '$id'"
}

# Everything by which something of a tenant's can be asked for.
ids() {
  local id table
  id=$(tenant_id "$1")
  for table in $tables; do
    if [ -n "$(sql "select 1 from information_schema.columns where table_name = '$table' and column_name = 'id'")" ]; then
      sql "select id from $table where tenant_id = '$id' limit 20"
    fi
  done
  printf '%s\n' "${canary[$1]}-guide" "${canary[$1]}-rules" "${canary[$1]}-user" default "$id"
}

hooks=$PWD/tests/fuzz/hooks.py
failed=0
fuzz() { # name, credential, other tenant, operations
  step "$1, ${seconds}s, seed $seed"
  picture "$3" >"$work/before"
  echo "${canary[$3]}" >"$work/canaries"
  ids "$3" >"$work/foreign-ids"
  # From the temporary folder, where it may leave what it likes.
  (cd "$work" && CANARIES=$work/canaries FOREIGN_IDS=$work/foreign-ids SCHEMATHESIS_HOOKS=$hooks \
    "$venv/bin/schemathesis" run "$gateway/v1/openapi.json" --header "Authorization: Bearer $2" "${@:4}" \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,nothing_of_the_other_tenant \
    --phases examples,coverage,fuzzing --max-time "$seconds" --max-examples 100000 --seed "$seed" \
    --continue-on-failure --suppress-health-check all --request-timeout 30 --generation-database none \
    --report ndjson --report-ndjson-path "$work/${1// /-}.ndjson" --no-color --warnings off) ||
    failed=1
  picture "$3" >"$work/after"
  diff "$work/before" "$work/after" || {
    echo "the other tenant's rows were changed" >&2
    failed=1
  }
}
admin=(--include-path-regex '^/v1/admin/')
fuzz "tenant one" "${key[one]}" two "${admin[@]}"
fuzz "tenant two" "${key[two]}" one "${admin[@]}"
# The demo tenant's user, whose token dev makes.
fuzz "user" "$(ready userToken)" one --exclude-path-regex '^/v1/(admin|operator)/'

step "log"
if grep panicked "$work/log"; then
  failed=1
fi
exit "$failed"
