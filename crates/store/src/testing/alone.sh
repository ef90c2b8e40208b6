# Runs a PostgreSQL server on loopback until standard input closes, and starts it again whenever it ends, as a service manager does.
# Arguments: folder of PostgreSQL's programs, port, password, then the variables that the server is started with (NAME=value). Says
# "ready" or "failed: .." on one line.
set -u
programs=$1 port=$2 password=$3
shift 3
folder=$(mktemp -d "${TMPDIR:-/tmp}/warifu-test-alone.XXXXXX")
# A panic of PostgreSQL is what some tests are for: nobody reads its cores.
ulimit -c 0
keeper=
clean_up() {
    if [ -n "$keeper" ]; then
        kill "$keeper" 2>/dev/null
        wait "$keeper" 2>/dev/null
    fi
    rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

keep_up() {
    server=
    # SIGQUIT ends PostgreSQL at once.
    trap 'kill -QUIT $server 2>/dev/null; wait; exit' TERM
    while :; do
        env "$@" "$programs/postgres" -D "$folder/data" -c port="$port" -c listen_addresses=127.0.0.1 \
            -c unix_socket_directories="$folder" -c fsync=off >>"$folder/log" 2>&1 &
        server=$!
        wait "$server"
        sleep 0.1
    done
}

begin() {
    printf '%s\n' "$password" >"$folder/password"
    "$programs/initdb" -D "$folder/data" -U warifu --pwfile="$folder/password" --auth=scram-sha-256 \
        --encoding=UTF8 --locale=C.UTF-8 --no-sync >"$folder/log" 2>&1 || return 1
    keep_up "$@" </dev/null >/dev/null &
    keeper=$!
    tries=0
    until "$programs/pg_isready" -q -h 127.0.0.1 -p "$port"; do
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || return 1
        sleep 0.1
    done
}

if begin "$@"; then
    echo ready
    cat >/dev/null
else
    echo "failed: $(tail -n 3 "$folder/log" | tr '\n' ' ')"
fi
