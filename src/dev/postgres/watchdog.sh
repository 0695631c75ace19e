# Runs a private Postgres for as long as its owner lives. Plain POSIX sh.
# Standard input is a pipe whose other end only the owner holds: when the owner ends, however
# suddenly, the pipe closes and the server is asked to stop.
# Arguments: folder of the binaries, data folder, folder to remove in the end (or ""),
# flags for initdb (or ""), then arguments for postgres.
bin=$1 data=$2 remove=$3 init_flags=$4
shift 4
exec 3<&0 </dev/null

guarded() {
  "$@" 3<&- &
  child=$!
  { cat <&3 >/dev/null; kill -INT "$child" 2>/dev/null; } &
  guard=$!
  wait "$child"
  status=$?
  kill "$guard" 2>/dev/null
  return "$status"
}

# The rename makes the data folder appear whole or not at all.
if ! [ -e "$data" ]; then
  rm -rf "$data.new"
  guarded "$bin/initdb" -U postgres -A trust -E UTF8 --locale=C $init_flags -D "$data.new" &&
    mv "$data.new" "$data"
fi && guarded "$bin/postgres" -D "$data" "$@"
status=$?
[ -z "$remove" ] || rm -rf "$remove"
exit "$status"
