# Makes a PostgreSQL cluster, says "ready in FOLDER", and takes it down when standard input ends. Its Unix socket is in that folder.
# Arguments: the folder of the server's programs, the port, settings of the server. First line of input: the password of the user "warifu".
set -eu
programs=$1
port=$2
settings=$3
umask 077
IFS= read -r password

cluster=$(mktemp -d -t warifu-postgres.XXXXXX)
take_down() {
    "$programs/pg_ctl" -D "$cluster/data" -m immediate -w stop >>"$cluster/setup.log" 2>&1 || true
    rm -rf "$cluster"
}
trap take_down EXIT
trap 'exit 130' HUP INT TERM

explain() {
    cat "$cluster/setup.log" >&2
    [ ! -f "$cluster/server.log" ] || tail -n 20 "$cluster/server.log" >&2
    exit 1
}

printf '%s\n' "$password" >"$cluster/password"
"$programs/initdb" -D "$cluster/data" -U warifu --pwfile="$cluster/password" --auth=scram-sha-256 \
    --encoding=UTF8 --locale=C --no-sync >"$cluster/setup.log" 2>&1 || explain

"$programs/pg_ctl" -D "$cluster/data" -l "$cluster/server.log" -w -t 60 \
    -o "-p $port -k $cluster -c listen_addresses=127.0.0.1 -c max_connections=300 $settings" \
    start >>"$cluster/setup.log" 2>&1 || explain

echo "ready in $cluster"
cat >/dev/null
