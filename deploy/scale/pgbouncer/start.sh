#!/bin/sh
# Starts PgBouncer in front of SERVER (host:port) for one login: LOGIN with PASSWORD, on DATABASE.
set -eu
umask 077
folder=${FOLDER:-/run/pgbouncer}
printf '"%s" "%s"\n' "$LOGIN" "$PASSWORD" > "$folder/users.txt"
# One heading [pgbouncer] only: a second one would set everything back that stands below the first.
{
  printf '[databases]\n%s = host=%s port=%s\n' "$DATABASE" "${SERVER%:*}" "${SERVER##*:}"
  cat "${COMMON:-/etc/pgbouncer/pgbouncer.ini}"
  printf '\nauth_file = %s\n%s\n' "$folder/users.txt" "${MORE:-}"
} > "$folder/main.ini"
exec pgbouncer -q "$folder/main.ini"
