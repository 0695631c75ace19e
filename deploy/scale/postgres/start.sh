#!/bin/sh
# Starts a server of the pair. One with an empty data folder and FOLLOW copies that primary first, and follows it.
set -eu
if [ -n "${FOLLOW:-}" ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
  mkdir -p "$PGDATA"
  chown postgres:postgres "$PGDATA"
  chmod 700 "$PGDATA"
  until PGPASSWORD=$REPLICATION_PASSWORD gosu postgres pair follow "$FOLLOW"; do
    sleep 1
  done
fi
exec docker-entrypoint.sh "$@"
