#!/usr/bin/env bash
# Runs both container set-ups for real, as their comments and docs/SCALE.md say: docker-compose.yml, then deploy/scale/docker-compose.yml, each part
# of which dies once while users ask. Prints what that cost, and compares users' tokens with the ledger.
#
#   tests/containers.sh [--pull] [one] [scale]      both set-ups unless one is named
#
# It starts a Docker of its own in a temporary folder, and takes everything away at the end. Base images are made from Debian's packages and this
# machine's Rust (tests/containers/), so that no container registry is needed; with --pull they are the official ones. Works on a copy of the
# work tree. Takes 10 to 20 minutes, most of them for the build, and 6 GB; KEEP=folder keeps images and logs there for the next time.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C

pull='' parts=''
for argument; do
  case "$argument" in
    --pull) pull=yes ;;
    one | scale) parts="$parts $argument" ;;
    *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; [ "$argument" = --help ] && exit 0 || exit 2 ;;
  esac
done
parts=${parts:-one scale}

# What is missing, in one line.
missing=''
[ "$(id -u)" = 0 ] || missing="$missing to be root,"
for tool in dockerd:docker.io docker:docker.io iptables-save:iptables curl:curl openssl:openssl python3:python3 git:git; do
  command -v "${tool%:*}" >/dev/null || missing="$missing ${tool%:*} (apt-get install ${tool#*:}),"
done
[ -n "$pull" ] || command -v debootstrap >/dev/null || missing="$missing debootstrap (apt-get install debootstrap),"
[ -n "$pull" ] || command -v rustc >/dev/null || missing="$missing rustc (https://rustup.rs),"
if docker compose version >/dev/null 2>&1; then
  compose=(docker compose)
elif command -v docker-compose >/dev/null; then
  compose=(docker-compose)
else
  missing="$missing docker compose (apt-get install docker-compose),"
fi
! pgrep -x dockerd >/dev/null || missing="$missing that no other Docker runs on this machine,"
! (exec 3<>/dev/tcp/127.0.0.1/8080) 2>/dev/null || missing="$missing port 8080,"
if [ -n "$missing" ]; then
  echo "tests/containers.sh needs:${missing%,}" >&2
  exit 1
fi

here=$PWD
work=${KEEP:-$(mktemp -d)}
mkdir -p "$work"
work=$(cd "$work" && pwd)
tree=$work/tree
users=$here/tests/containers/users.py
daemon='' asking=''
# What Docker changes and leaves: set back at the end.
rules=$(iptables-save 2>/dev/null)
forwards=$(cat /proc/sys/net/ipv4/ip_forward)
export DOCKER_HOST=unix://$work/docker.sock

step() { printf '\n== %s\n' "$*"; }
fail() {
  echo "$*" >&2
  exit 1
}
down() { "${files[@]}" down --volumes --remove-orphans --timeout 5 >>"$work/compose.log" 2>&1 || true; }
finish() {
  status=$?
  trap - EXIT
  if [ "$status" != 0 ] && [ -n "${files:-}" ]; then
    tail -n 20 "$work/compose.log"
    "${files[@]}" ps
    "${files[@]}" logs --tail 15
  fi 2>&1 | cut -c 1-300 >&2
  [ -z "$asking" ] || kill "$asking" 2>/dev/null || true
  [ -z "${files:-}" ] || down
  if [ -n "$daemon" ]; then
    kill "$daemon" 2>/dev/null && wait "$daemon" 2>/dev/null || true
    ip link delete docker0 2>/dev/null || true
    # A table that was not there before is emptied first.
    printf '%s\n' '*filter' ':FORWARD ACCEPT' COMMIT '*nat' COMMIT "$rules" | iptables-restore
    echo "$forwards" >/proc/sys/net/ipv4/ip_forward
  fi
  rm -rf "$tree" "$work/root"
  [ -n "${KEEP:-}" ] || rm -rf "$work"
  exit "$status"
}
trap finish EXIT

# Waits until a command succeeds, so many seconds at most.
within() {
  local end=$((SECONDS + $1))
  until "${@:3}" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || fail "not within $1 s: $2"
    sleep 0.3
  done
}
# Docker's, for a service.
container() { "${files[@]}" ps -q "$1"; }
inspect() { docker inspect --format "$2" "$(container "$1")"; }
is() { [ "$(inspect "$1" "$2")" = "$3" ]; }
healthy() { is "$1" '{{.State.Health.Status}}' healthy; }
ended() { is "$1" '{{.State.Status}} {{.State.ExitCode}}' 'exited 0'; }
# As docker compose, with its output in a file.
quietly() { timeout 1800 "${files[@]}" "$@" >>"$work/compose.log" 2>&1 </dev/null || fail "failed: docker compose $*"; }
fill() { # .env, with something in each line that is to be filled in
  cp "$1.example" "$1"
  sed -i "s|^GATEWAY_MASTER_KEY=\$|&$(openssl rand -base64 32)|" "$1"
  for name in $(sed -n 's/^\([A-Z_]*PASSWORD\)=$/\1/p' "$1"); do
    sed -i "s|^$name=\$|&$(openssl rand -hex 24)|" "$1"
  done
}
# Anam's stand-in for the gateways named: the same image's emulator behind TLS, since the gateway sends its keys over nothing else.
anam() { # network, services
  cat <<YAML
services:
  anam:
    image: persona-gateway
    command: [emulate, --bind, 0.0.0.0, --latency, 50ms]
    networks: [$1]
  anam-tls:
    image: haproxy:3.2
    networks: [$1]
    depends_on: [anam]
    volumes: ["$work/anam:/usr/local/etc/haproxy:ro"]
YAML
  for service in ${*:2}; do
    cat <<YAML
  $service:
    environment:
      ANAM_BASE_URL: https://anam-tls:8443
      SSL_CERT_FILE: /anam.pem
    volumes: ["$work/anam/ca.pem:/anam.pem:ro"]
YAML
  done
}
mint() { # user; prints the status
  curl --silent --max-time 20 --output "$work/answer" --write-out '%{http_code}\n' http://127.0.0.1:8080/v1/session-token \
    --header "Authorization: Bearer $(python3 "$users" token "$1")" --header 'Content-Type: application/json' --data '{}' |
    tee -a "$work/statuses"
}
mints() { [ "$(mint "$1")" = 200 ]; }
sql() { docker exec "$(container "$1")" psql --username=postgres --no-psqlrc --quiet --tuples-only --no-align persona_gateway --command "$2"; }
ledger() {
  sql "$1" "select s.id || '|' || coalesce(o.outcome, '') || '|' || coalesce(encode(o.token_hash, 'hex'), '')
            from session s left join session_outcome o on o.session_id = s.id and o.at = s.at"
}
# The spool of a gateway, as its container sees it.
spooled() { docker exec "$(container "$1")" sh -c 'ls /var/lib/persona-gateway/spool | wc -l'; }
all_is_in_the_ledger() { [ "$(spooled "$1")" = 0 ]; }
# A gateway that takes no liberties: not root, no rights, no place to write but its volume.
is_confined() {
  local says
  says=$(docker exec "$(container "$1")" sh -c 'id -u; grep -E "^(CapEff|NoNewPrivs)" /proc/1/status | cut -f 2; touch /usr/local/bin/x /tmp/x 2>&1 | grep -c "Read-only"')
  [ "$(echo $says)" = "10001 0000000000000000 1 2" ] || fail "$1 is not confined: $says"
}
stops_by_itself() {
  local began=$SECONDS
  quietly stop "$1"
  ended "$1" || fail "$1 ended with $(inspect "$1" '{{.State.ExitCode}}')"
  echo "$1 stopped by itself after $((SECONDS - began)) s"
}

step "Docker"
nice -n 10 dockerd --data-root "$work/docker" --exec-root "$work/exec" --pidfile "$work/docker.pid" --host "$DOCKER_HOST" >"$work/docker.log" 2>&1 &
daemon=$!
within 60 "Docker's start (its last words: $work/docker.log)" docker info
docker version --format 'Docker {{.Server.Version}}'
"${compose[@]}" version --short

make_image() { docker build --quiet --tag "$@" >>"$work/build.log" 2>&1 || fail "failed: docker build --tag $*: $(tail -n 3 "$work/build.log")"; }
exists() { docker image inspect "$1" >/dev/null 2>&1; }
if [ -z "$pull" ]; then
  step "stand-ins for base images"
  if ! exists debian:bookworm-slim; then
    debootstrap --variant=minbase bookworm "$work/root" >"$work/debootstrap.log" || fail "debootstrap: $work/debootstrap.log"
    tar --create --directory "$work/root" --exclude './var/cache/apt/archives/*.deb' --exclude './var/lib/apt/lists/*' . |
      docker import --change 'CMD ["bash"]' - debian:bookworm-slim >/dev/null
    rm -rf "$work/root"
  fi
  for image in postgres:17 haproxy:3.2 redis:8; do
    exists $image || make_image $image "tests/containers/${image%:*}"
  done
  if ! exists rust:1.95-bookworm; then
    # With the crates that were fetched already.
    cargo=${CARGO_HOME:-$HOME/.cargo}
    mkdir -p "$cargo/registry"
    tar --create --directory "$here/tests/containers/rust" Dockerfile --directory "$(rustc --print sysroot)" bin lib \
      --directory "$cargo" --transform 's|^registry|cargo/registry|' --exclude registry/src registry |
      make_image rust:1.95-bookworm -
  fi
  docker images --format '{{.Repository}}:{{.Tag}} {{.Size}}'
fi

# Files that are not ignored, as a fresh clone would have them.
rm -rf "$tree"
mkdir -p "$tree" "$work/anam"
git ls-files -z --cached --others --exclude-standard | tar --create --null --files-from - --ignore-failed-read | tar --extract --directory "$tree"
cd "$tree"

# Anam's certificate, and that of who has signed it.
(
  cd "$work/anam"
  new=(openssl req -batch -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2)
  "${new[@]}" -subj "/CN=Stand-in CA" -keyout ca.key -out ca.pem
  "${new[@]}" -subj "/CN=anam-tls" -CA ca.pem -CAkey ca.key -keyout key.pem -out cert.pem \
    -addext subjectAltName=DNS:anam-tls -addext basicConstraints=critical,CA:FALSE
  cat cert.pem key.pem >tls.pem
  cat >haproxy.cfg <<'CFG'
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen anam
    bind :8443 ssl crt /usr/local/etc/haproxy/tls.pem
    server anam anam:8790
CFG
  chmod 644 ./*
) 2>>"$work/compose.log"

ACME_JWT_SECRET=$(openssl rand -hex 32) ACME_ANAM_API_KEY=$(openssl rand -hex 16)
export ACME_JWT_SECRET ACME_ANAM_API_KEY
bundle=(run --rm --volume "$PWD/examples:/bundles:ro" -e ACME_JWT_SECRET -e ACME_ANAM_API_KEY)

has_sessions() { [ "$(sql postgres "select count(*) from session_outcome where outcome = 'issued'")" = "$1" ]; }
one_machine() {
  step "one machine: docker-compose.yml"
  fill .env
  : >"$work/statuses"
  files=("${compose[@]}")
  local began=$SECONDS tokens
  quietly build
  echo "built in $((SECONDS - began)) s: $(docker image inspect --format '{{.Size}}' persona-gateway | numfmt --to=iec) in all"
  # Compose reads this file by itself.
  anam default gateway >docker-compose.override.yml
  began=$SECONDS
  quietly up --detach
  within 120 "the gateway is healthy" healthy gateway
  ended migrate || fail "migrate did not end well"
  echo "healthy after $((SECONDS - began)) s"
  is_confined gateway
  quietly "${bundle[@]}" gateway apply /bundles/tenant.yaml
  within 10 "a session token" mints user-1
  echo "examples/tenant.yaml is applied, and a user has a session token"

  quietly kill postgres
  # Known users go on.
  [ "$(mint user-1)" = 200 ] || fail "no session token without PostgreSQL: $(cat "$work/answer")"
  echo "without PostgreSQL a known user has a token, and a newcomer gets $(mint user-2) $(sed -n 's/.*"code":"\([a-z_]*\)".*/\1/p' "$work/answer")"
  quietly up --detach
  within 60 "a newcomer's token, with PostgreSQL again" mints user-3
  within 60 "the spool in the ledger" all_is_in_the_ledger gateway
  within 60 "the gateway is healthy again" healthy gateway
  tokens=$(grep -c 200 "$work/statuses")
  within 20 "$tokens sessions in the ledger" has_sessions "$tokens"
  echo "PostgreSQL was killed and started; the ledger has the $tokens sessions that users have tokens of"

  stops_by_itself gateway
  quietly down
  quietly up --detach
  within 120 "the gateway is healthy" healthy gateway
  within 10 "a session token" mints user-1
  echo "after down and up all is as before"
  down
}

scale() {
  step "deploy/scale/docker-compose.yml"
  fill deploy/scale/.env
  anam inside gateway-1 gateway-2 gateway-3 >deploy/scale/anam.yml
  files=("${compose[@]}" --file deploy/scale/docker-compose.yml --file deploy/scale/anam.yml)
  local began=$SECONDS primary=postgres-1
  quietly up --detach
  for service in postgres-1 postgres-2; do within 120 "$service is healthy" healthy $service; done
  for service in synchronous migrate; do within 120 "$service has ended" ended $service; done
  quietly "${bundle[@]}" gateway-1 apply /bundles/tenant.yaml
  within 60 "a session token" mints user-1
  echo "everything runs after $((SECONDS - began)) s"
  for service in gateway-1 gateway-2 gateway-3; do is_confined $service; done
  docker exec "$(container postgres-1)" pair status

  python3 "$users" ask 8080 "$work/asked" &
  asking=$!
  cost() { python3 "$users" cost "$work/asked" "$since" "$1" "$2"; }
  now() { date +%s.%N; }

  since=$(now)
  sleep 10
  cost 0 "nothing dies"

  since=$(now)
  for number in 1 2 3; do
    stops_by_itself gateway-$number
    quietly start gateway-$number
    within 30 "gateway-$number is ready" docker exec "$(container gateway-$number)" bash -c "exec 3<>/dev/tcp/127.0.0.1/9090 && printf 'GET /readyz HTTP/1.0\r\n\r\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"
  done
  cost 0 "each gateway is stopped and started in turn"

  crashes() { # service, known users that may lose an answer, what
    since=$(now)
    kill -KILL "$(inspect "$1" '{{.State.Pid}}')"
    within 30 "Docker starts $1 again" is "$1" '{{.RestartCount}} {{.State.Running}}' '1 true'
    cost "$2" "$3"
  }
  # Those that it was just answering.
  crashes gateway-1 5 "a gateway crashes, and Docker starts it again"
  # Everybody, for a moment.
  crashes haproxy 1000 "HAProxy crashes, and Docker starts it again"

  dies() { # service, known users that may lose an answer, what
    since=$(now)
    quietly kill "$1"
    sleep 5
    quietly start "$1"
    cost "$2" "$3"
  }
  dies gateway-2 5 "a gateway is killed, and started five seconds later"
  dies pgbouncer-1 0 "the primary's PgBouncer is killed, and started five seconds later"
  dies redis 0 "Redis is killed, and started five seconds later"

  since=$(now)
  quietly kill postgres-2
  sleep 5
  quietly exec -T $primary pair alone
  cost 0 "the standby is killed; pair alone after five seconds"
  quietly start postgres-2
  within 60 "postgres-2 is healthy" healthy postgres-2
  quietly exec -T $primary pair synchronous

  # As docs/SCALE.md says.
  since=$(now)
  quietly kill postgres-1
  sleep 5
  quietly exec -T postgres-2 pair promote
  primary=postgres-2
  cost 0 "the primary is killed; pair promote after five seconds"
  since=$(now)
  sed -i 's/^\(POSTGRES_1_FOLLOWS\)=.*/\1=postgres-2/; s/^\(POSTGRES_2_FOLLOWS\)=.*/\1=/' deploy/scale/.env
  quietly rm --force postgres-1
  docker volume rm persona-gateway-scale_postgres-1 >/dev/null
  quietly up --detach --no-deps postgres-1
  within 60 "postgres-1 is healthy" healthy postgres-1
  quietly exec -T postgres-2 pair synchronous
  cost 0 "its machine comes back empty, and follows"
  docker exec "$(container postgres-2)" pair status

  kill "$asking"
  wait "$asking" || true
  asking=''
  within 60 "the spool in the ledger" all_is_in_the_ledger gateway-1
  for service in gateway-1 gateway-2 gateway-3; do stops_by_itself $service; done
  ledger $primary | python3 "$users" compare "$work/asked"
  down
}

case "$parts" in *one*) one_machine ;; esac
case "$parts" in *scale*) scale ;; esac
