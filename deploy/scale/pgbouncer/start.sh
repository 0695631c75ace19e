#!/bin/sh
# Starts PgBouncer in front of SERVER (host:port) for one login: LOGIN with PASSWORD, on DATABASE.
set -eu
umask 077
folder=${FOLDER:-/run/pgbouncer}
printf '"%s" "%s"\n' "$LOGIN" "$PASSWORD" > "$folder/users.txt"
cat > "$folder/main.ini" <<INI
[databases]
$DATABASE = host=${SERVER%:*} port=${SERVER##*:}
%include ${COMMON:-/etc/pgbouncer/pgbouncer.ini}
[pgbouncer]
auth_file = $folder/users.txt
${MORE:-}
INI
exec pgbouncer -q "$folder/main.ini"
