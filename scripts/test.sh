#!/usr/bin/env bash
# Runs every test from a fresh clone: installs what is missing, starts the servers that tests need
# on free ports in temporary folders, and stops them again.
#
#   INTERLINE_LONG=1   the long tiers (more rounds, more requests)
#   SKIP_CLIENTS=1     without the official clients (needs npm and PyPI)
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
chmod 755 "$work" # PostgreSQL runs as another user
cleanup() {
  status=$?
  scripts/postgres.sh stop "$work/postgres" >/dev/null 2>&1 || true
  rm -rf "$work"
  exit "$status"
}
trap cleanup EXIT

step() { printf '\n== %s\n' "$*"; }

step "crates: arrows"
cargo xtask tidy

step "build"
cargo build --workspace --all-targets

step "PostgreSQL for the store suite"
INTERLINE_TEST_POSTGRES_URL=$(scripts/postgres.sh start "$work/postgres")
export INTERLINE_TEST_POSTGRES_URL
echo "$INTERLINE_TEST_POSTGRES_URL"

# One call for all of them: another selection of packages would select other features of the
# dependencies, and build half the tree again.
step "unit, property, golden and store tests; the real binary: journeys, faults, kill -9"
cargo test --workspace

if [ "${SKIP_CLIENTS:-}" != 1 ]; then
  step "official clients against the real binary"
  INTERLINE_BIN=target/debug/interline scripts/clients.sh
fi

step "all tests passed"
