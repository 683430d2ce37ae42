# `make run` and `make test` are the contract; everything else is convenience.
# Nothing needs installing beforehand but Rust, Node and a C compiler.

CARGO ?= cargo
DATA_DIR ?= ./data
BIN := target/debug/interline

.PHONY: run test check bench web release fmt lint tidy deny clean

run: ## Build and start everything on http://127.0.0.1:8080
	@echo "Building Interline (the first time: some minutes on two cores; later: seconds)." >&2
	@$(CARGO) build --package interline
	@exec $(BIN) serve --data-dir $(DATA_DIR) $(ARGS)

test: ## Install what the tests need, run all of them, clean up
	@scripts/test.sh

check: fmt tidy lint deny test ## Everything a merge needs, cheapest first

fmt:
	@$(CARGO) fmt --all --check

tidy:
	@$(CARGO) xtask tidy

lint:
	@$(CARGO) clippy --workspace --all-targets -- -D warnings

deny: ## Licences and banned crates, where cargo-deny is installed
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny check licenses bans sources; \
	else echo "deny: cargo-deny is not installed (cargo install cargo-deny --locked): skipped" >&2; fi

release: ## An optimised binary in target/release
	@$(CARGO) build --release --package interline --no-default-features --features jemalloc

bench: release ## Floor, direct and Interline in one run
	@target/release/interline bench $(ARGS)

web: ## The web app
	@echo "There is no web app yet: the page at / is part of the binary (crates/server/assets)." >&2

clean:
	@$(CARGO) clean
