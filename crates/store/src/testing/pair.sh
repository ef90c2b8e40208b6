# Runs two PostgreSQL servers on loopback, a primary and its standby, until standard input closes. Arguments: folder of PostgreSQL's
# programs, the two ports, password, "sync" or "async" (whether commits wait for the standby). Says "ready" once; then takes one
# command a line and answers each with "done" or "failed: ..":
#   hold     nothing more reaches the standby, as on a slow network; only where no commit waits for it
#   kill     the primary and all its processes are killed (SIGKILL), as when its machine is gone
#   lose     the standby and all its processes are killed: commits that wait for it wait until it is back
#   promote  the standby becomes the primary; it commits alone until the other is back
#   rejoin   the dead server comes back as the standby, with a fresh copy
set -u
programs=$1 port_0=$2 port_1=$3 password=$4 kind=$5
folder=$(mktemp -d "${TMPDIR:-/tmp}/warifu-test-pair.XXXXXX")
export PGPASSWORD="$password"
primary=0

port() { [ "$1" = 0 ] && echo "$port_0" || echo "$port_1"; }
server() { "$programs/pg_ctl" -D "$folder/$1" -w -t 60 -l "$folder/$1.log" "$2" >>"$folder/log" 2>&1; }
ask() { "$programs/psql" -h 127.0.0.1 -p "$(port "$1")" -U warifu -d postgres -qAtc "$2" 2>>"$folder/log"; }
clean_up() {
    for number in 0 1; do
        "$programs/pg_ctl" -D "$folder/$number" -m immediate -w stop >/dev/null 2>&1
    done
    rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

# A copy of the primary, streaming from it. It need not be on the disk before it is used: processes are killed here, not machines.
standby() {
    rm -rf "${folder:?}/$1"
    "$programs/pg_basebackup" -h 127.0.0.1 -p "$(port "$primary")" -U warifu -D "$folder/$1" -c fast -X stream --no-sync \
        >>"$folder/log" 2>&1 || return 1
    # The copy has the primary's own settings: it must not wait for a standby when it is promoted.
    printf '%s\n' "primary_conninfo = 'host=127.0.0.1 port=$(port "$primary") user=warifu password=$password application_name=other'" \
        >"$folder/$1/postgresql.auto.conf"
    sed -i "s/^port = .*/port = $(port "$1")/" "$folder/$1/postgresql.conf"
    touch "$folder/$1/standby.signal"
    server "$1" start || { tail -n 3 "$folder/$1.log" >>"$folder/log"; return 1; }
    if [ "$kind" = sync ]; then
        ask "$primary" "ALTER SYSTEM SET synchronous_standby_names = 'other'" || return 1
        ask "$primary" "SELECT pg_reload_conf()" >/dev/null || return 1
    fi
    # From here on a synchronous standby has on its disk whatever is answered.
    tries=0
    until [ "$(ask "$primary" "SELECT sync_state FROM pg_stat_replication")" = "$kind" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || return 1
        sleep 0.05
    done
}

begin() {
    printf '%s\n' "$password" >"$folder/password"
    "$programs/initdb" -D "$folder/0" -U warifu --pwfile="$folder/password" --auth=scram-sha-256 \
        --encoding=UTF8 --locale=C.UTF-8 --no-sync >"$folder/log" 2>&1 || return 1
    cat >>"$folder/0/postgresql.conf" <<END
port = $port_0
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
wal_level = replica
max_wal_senders = 4
synchronous_commit = on
wal_retrieve_retry_interval = '200ms'
END
    server 0 start && standby 1
}

# The standby has all that was committed by now, and the process that sends it more is stopped.
hold() {
    [ "$kind" = async ] || return 1
    at=$(ask "$primary" "SELECT pg_current_wal_lsn()") || return 1
    tries=0
    until [ "$(ask "$primary" "SELECT flush_lsn >= '$at' FROM pg_stat_replication")" = t ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || return 1
        sleep 0.05
    done
    kill -STOP "$(ask "$primary" "SELECT pid FROM pg_stat_replication")"
}

kill_server() {
    master=$(head -n 1 "$folder/$1/postmaster.pid") || return 1
    # Stopped first: else it may give birth to one more while they are killed.
    kill -STOP "$master"
    # shellcheck disable=SC2046 # one number each
    kill -9 $(pgrep -P "$master") "$master"
}

promote() {
    primary=$((1 - primary))
    server "$primary" promote
}

answer() {
    if "$@"; then echo "done"; else echo "failed: $(tail -n 3 "$folder/log" | tr '\n' ' ')"; fi
}

if begin; then echo ready; else answer false; exit 1; fi
while read -r command; do
    case $command in
    hold) answer hold ;;
    kill) answer kill_server "$primary" ;;
    lose) answer kill_server $((1 - primary)) ;;
    promote) answer promote ;;
    rejoin) answer standby $((1 - primary)) ;;
    esac
done
