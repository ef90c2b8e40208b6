# Runs a PostgreSQL cluster on loopback until its standard input closes, which happens when the test process ends, however
# it ends. Arguments: folder of PostgreSQL's programs, port, password. Says "ready" or "failed" on one line.
set -eu
programs=$1 port=$2 password=$3
folder=$(mktemp -d "${TMPDIR:-/tmp}/warifu-test-postgres.XXXXXX")
clean_up() {
    "$programs/pg_ctl" -D "$folder/data" -m immediate -w stop >/dev/null 2>&1 || true
    rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM
printf '%s\n' "$password" >"$folder/password"
if "$programs/initdb" -D "$folder/data" -U warifu --pwfile="$folder/password" --auth=scram-sha-256 \
    --encoding=UTF8 --locale=C.UTF-8 --no-sync >"$folder/log" 2>&1 &&
    "$programs/pg_ctl" -D "$folder/data" -w -l "$folder/log" \
        -o "-c port=$port -c listen_addresses=127.0.0.1 -c unix_socket_directories='$folder' -c max_connections=400 -c fsync=off" \
        start >/dev/null 2>&1; then
    echo ready
    cat >/dev/null
else
    echo "failed: $(tail -n 3 "$folder/log" | tr '\n' ' ')"
fi
