#!/usr/bin/env bash
# Runs the official clients, unchanged but for base URL and key, against a real server that has
# three simulated providers behind it, one for each dialect.
#
#   scripts/clients.sh                  all clients
#   scripts/clients.sh python [ARG…]    only Python's; ARG goes to pytest (-k stream, -x, …)
#   scripts/clients.sh node [ARG…]      only Node's; ARG goes to node (--test-name-pattern=stream)
#
# INTERLINE_BIN names the binary (default: the debug build). Needs python3 (3.10 or later, with
# venv), node (20 or later) and npm. What is installed stays in clients/.cache; registries are
# asked only when requirements.txt or package-lock.json changed.
set -euo pipefail
cd "$(dirname "$0")/.."

suite=${1:-all}
[ $# -eq 0 ] || shift
case $suite in
    all | python | node) ;;
    *) sed -n '2,11p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2 ;;
esac

fail() {
    echo "clients.sh: $1" >&2
    exit 1
}

binary=${INTERLINE_BIN:-${CARGO_TARGET_DIR:-target}/debug/interline}
[ -x "$binary" ] || fail "$binary is not there; build it (cargo build -p interline) or set INTERLINE_BIN"
cache=$PWD/clients/.cache
mkdir -p "$cache"
work=$(mktemp -d "${TMPDIR:-/tmp}/interline-clients.XXXXXX")
started=()

finish() {
    status=$?
    trap - EXIT
    for pid in "${started[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    for pid in "${started[@]}"; do
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Whether the stamp of an installation still matches what it was made from.
is_installed() {
    cmp -s "$1" "$2"
}

install_python() {
    venv=$cache/python
    is_installed clients/python/requirements.txt "$venv/installed.txt" && return
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check \
        --requirement clients/python/requirements.txt
    cp clients/python/requirements.txt "$venv/installed.txt"
}

install_node() {
    modules=$cache/node
    is_installed clients/node/package-lock.json "$modules/installed.json" && return
    rm -rf "$modules"
    mkdir -p "$modules"
    cp clients/node/package.json clients/node/package-lock.json clients/node/.npmrc "$modules/"
    # No install scripts: the packages are read, not built.
    (cd "$modules" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
    cp clients/node/package-lock.json "$modules/installed.json"
}

free_ports() {
    python3 - "$1" <<'PYTHON'
import socket, sys
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(s.getsockname()[1] for s in sockets))
PYTHON
}

# Prices are those of clients/world.json: the models test compares them.
prices_of() {
    case $1 in
        openai) echo 'prompt = "0.0000025", completion = "0.00001", input_cache_read = "0.00000125"' ;;
        claude) echo 'prompt = "0.000003", completion = "0.000015", input_cache_read = "0.0000003", input_cache_write = "0.00000375"' ;;
        gemini) echo 'prompt = "0.0000001337", completion = "0.0000004011", input_cache_read = "0.00000003345"' ;;
    esac
}

# One provider of a dialect: its slug's end, name, dialect, way to sign in, path.
write_provider() {
    cat <<TOML

[[providers]]
slug = "acme-$1"
name = "Acme $2"
dialect = "$3"
auth = "$4"
base_url = "http://127.0.0.1:$sim_port/$5"
api_key = "acme-$1-secret"
quirks = { cancels = true, reasoning_replay = "reasoning_content", native_structured_output = true, thinking = "budget", gemini_thinking = "budget" }
TOML
}

write_model() {
    cat <<TOML

[[models]]
id = "acme/$1"
name = "Acme: $1"
context_length = 200000
input_modalities = ["text", "image"]
output_modalities = ["text"]
$2
TOML
}

# An endpoint: model, provider's dialect, the provider's name of the model, prices.
write_endpoint() {
    cat <<TOML

[[endpoints]]
model = "acme/$1"
provider = "acme-$2"
upstream_model = "$3"
max_completion_tokens = 4096
pricing = { $4 }
TOML
}

write_configuration() {
    cat <<TOML
[server]
listen = "127.0.0.1:$api_port"
operator_listen = "127.0.0.1:$operator_port"
discovery = false
TOML
    write_provider openai Openai openai-chat bearer v1
    write_provider claude Claude anthropic-messages x-api-key v1
    write_provider gemini Gemini gemini x-goog-api-key v1beta
    write_model everywhere ''
    for dialect in openai claude gemini; do
        write_endpoint everywhere "$dialect" large "$(prices_of "$dialect")"
        for kind in large limited strict down locked cut torn; do
            write_model "$dialect-$kind" ''
            write_endpoint "$dialect-$kind" "$dialect" "$kind" "$(prices_of "$dialect")"
        done
        write_model "$dialect-thinker" 'reasoning = { supports_max_tokens = true }'
        write_endpoint "$dialect-thinker" "$dialect" thinker "$(prices_of "$dialect")"
        # A dollar a token: nobody can afford it.
        write_model "$dialect-gold" ''
        write_endpoint "$dialect-gold" "$dialect" large 'prompt = "1", completion = "1"'
    done
}

# Waits until a URL answers well, as long as the process lives.
await() {
    for _ in $(seq 300); do
        kill -0 "$2" 2>/dev/null || break
        if python3 -c 'import sys, urllib.request as r; r.urlopen(sys.argv[1], timeout=1)' "$1" \
            2>/dev/null; then
            return
        fi
        sleep 0.1
    done
    cat "$3" >&2
    fail "no answer from $1"
}

start_servers() {
    read -r api_port operator_port sim_port < <(free_ports 3)
    write_configuration >"$work/interline.toml"
    "$binary" sim --listen "127.0.0.1:$sim_port" --script clients/sim.json >"$work/sim.log" 2>&1 &
    started+=($!)
    await "http://127.0.0.1:$sim_port/_sim/log" $! "$work/sim.log"
    export CLIENTS_KEY=sk-or-v1-clients-0123456789abcdef
    export CLIENTS_MANAGEMENT_KEY=sk-or-v1-manager-0123456789abcdef
    env -u INTERLINE_CONFIG -u INTERLINE_BIN \
        INTERLINE_BOOTSTRAP_KEY="$CLIENTS_KEY" \
        INTERLINE_BOOTSTRAP_MANAGEMENT_KEY="$CLIENTS_MANAGEMENT_KEY" \
        INTERLINE_BOOTSTRAP_CREDITS=25.00 \
        "$binary" serve --config "$work/interline.toml" --data-dir "$work/data" \
        >"$work/server.log" 2>&1 &
    started+=($!)
    await "http://127.0.0.1:$api_port/health/ready" $! "$work/server.log"
    export CLIENTS_BASE_URL=http://127.0.0.1:$api_port/api/v1
    export CLIENTS_SIM=http://127.0.0.1:$sim_port
    CLIENTS_SMALL_KEY=$(new_key small --limit 0.000001/day)
    export CLIENTS_SMALL_KEY
}

# Makes a key with the options given, as an operator does.
new_key() {
    env -u INTERLINE_CONFIG -u INTERLINE_BIN "$binary" keys create --quiet \
        --config "$work/interline.toml" --data-dir "$work/data" --name "$@"
}

# Runs a suite: all of its output if it failed or was called with arguments, else what the runner
# says at the end.
report() {
    name=$1 arguments=$2 closing=$3
    shift 3
    CLIENTS_QUIET_KEY=$(new_key "quiet $name")
    export CLIENTS_QUIET_KEY
    status=0
    "$@" >"$work/$name.out" 2>&1 || status=$?
    if [ "$status" -eq 0 ] && [ "$arguments" -eq 0 ]; then
        grep -E "$closing" "$work/$name.out"
        return
    fi
    cat "$work/$name.out"
    if [ "$status" -ne 0 ]; then
        failed=yes
        echo "the end of the server's log:" >&2
        tail -n 20 "$work/server.log" >&2
    fi
}

run_python() {
    report python $# '^[0-9]+ passed.* in [0-9.]+s' \
        "$cache/python/bin/python" -m pytest -q -p no:cacheprovider --disable-warnings \
        clients/python "$@"
}

run_node() {
    # Packages are looked for beside the tests, upwards: so the tests run beside the packages.
    cp clients/node/*.mjs "$cache/node/"
    cp clients/world.json "$cache/world.json"
    report node $# '^ℹ (tests|pass|fail|todo) ' \
        node --test --test-concurrency=1 --test-reporter=spec "$@" "$cache"/node/*.test.mjs
}

export PYTHONDONTWRITEBYTECODE=1
[ "$suite" = node ] || install_python
[ "$suite" = python ] || install_node
start_servers
failed=no
[ "$suite" = node ] || run_python "$@"
[ "$suite" = python ] || run_node "$@"
[ "$failed" = no ]
