#!/bin/sh
# Runs once, on an empty database folder: makes the role that owns the gateway's tables, and its database.
# It may make roles but is no superuser. `persona-gateway migrate` does the rest.
set -eu
psql --set=ON_ERROR_STOP=1 --set=password="$GATEWAY_OWNER_PASSWORD" --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
create role gateway_owner login createrole password :'password';
create database persona_gateway owner gateway_owner;
SQL
