#!/bin/sh
# Does what the official image's entrypoint does, as far as deploy/ relies on it.
set -eu
[ "$1" = postgres ] || exec "$@"
if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA"
  chown -R postgres "$PGDATA"
  chmod 700 "$PGDATA"
  exec gosu postgres "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  password=$(mktemp)
  echo "${POSTGRES_PASSWORD:?}" > "$password"
  initdb --username="${POSTGRES_USER:-postgres}" --pwfile="$password" --auth=trust
  rm "$password"
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
  # On its socket only, until all is prepared.
  pg_ctl --wait --options="-c listen_addresses=''" start
  for script in /docker-entrypoint-initdb.d/*.sh; do
    if [ -x "$script" ]; then "$script"; elif [ -f "$script" ]; then . "$script"; fi
  done
  pg_ctl --wait --mode=fast stop
fi
exec "$@"
