#!/bin/sh
# A throw-away PostgreSQL for tests.
#
#   scripts/postgres.sh start DIR    starts a server with its data in DIR and prints its URL
#   scripts/postgres.sh stop DIR     stops it and removes DIR
#
#   export INTERLINE_TEST_POSTGRES_URL=$(scripts/postgres.sh start /tmp/interline-postgres)
#
# It listens on a free port of the loopback interface, trusts everybody there, and does not sync:
# nothing in it is worth keeping. PostgreSQL refuses to run as root; then it runs as `postgres`.
set -eu

usage() {
    sed -n '2,6p' "$0" | sed 's/^# \{0,1\}//' >&2
    exit 2
}

fail() {
    echo "postgres.sh: $1" >&2
    exit 1
}

[ $# -eq 2 ] || usage
action=$1
directory=$2

binaries() {
    for candidate in "$(pg_config --bindir 2>/dev/null || true)" \
        $(ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin \
            2>/dev/null | sort -rV); do
        if [ -x "$candidate/initdb" ] && [ -x "$candidate/pg_ctl" ]; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

# Finds the server's programs, installing them first where that is possible.
find_binaries() {
    binaries && return
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        echo "postgres.sh: installing PostgreSQL" >&2
        apt-get update -qq >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql >&2
        binaries && return
    fi
    fail "no initdb found; install it (Debian: apt-get install postgresql; macOS: brew install postgresql)"
}

as_server() {
    if [ "$(id -u)" -eq 0 ]; then
        # Not from a folder that `postgres` may not enter.
        (cd / && runuser -u postgres -- "$@")
    else
        "$@"
    fi
}

free_port() {
    # Asks the kernel, if there is something to ask with; else tries its luck with the process id.
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' \
        2>/dev/null || echo $((20000 + $$ % 20000))
}

case $action in
start)
    bin=$(find_binaries)
    mkdir -p "$directory"
    directory=$(cd "$directory" && pwd)
    [ ! -e "$directory/data" ] || fail "$directory/data exists; stop that one first"
    if [ "$(id -u)" -eq 0 ]; then
        id postgres >/dev/null 2>&1 || useradd --system --no-create-home postgres
        chown postgres "$directory"
    fi
    as_server "$bin/initdb" --pgdata "$directory/data" --username postgres --auth trust \
        --encoding UTF8 --locale C --no-sync >"$directory/initdb.log" 2>&1 ||
        fail "initdb failed, see $directory/initdb.log"
    port=$(free_port)
    as_server "$bin/pg_ctl" --pgdata "$directory/data" --log "$directory/server.log" -w start \
        -o "-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories='' -c fsync=off \
            -c synchronous_commit=off -c full_page_writes=off -c max_connections=200" \
        >/dev/null 2>&1 || fail "the server did not start, see $directory/server.log"
    echo "postgres://postgres@127.0.0.1:$port/postgres"
    ;;
stop)
    bin=$(find_binaries)
    [ -e "$directory/data/PG_VERSION" ] || fail "$directory holds no server of ours"
    directory=$(cd "$directory" && pwd)
    as_server "$bin/pg_ctl" --pgdata "$directory/data" -m immediate -w stop >/dev/null 2>&1 || true
    rm -rf "$directory/data" "$directory/initdb.log" "$directory/server.log"
    rmdir "$directory" 2>/dev/null || true
    ;;
*)
    usage
    ;;
esac
