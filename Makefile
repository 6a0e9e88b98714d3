# `make demo` needs nothing but Rust. `make test` installs the rest (scripts/test-tools.sh).

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Where the tests look for the Python clients; absolute, because each test binary runs in its crate's folder.
export ESBGATE_TEST_VENV ?= $(CURDIR)/target/test-tools/venv

ESBGATE := cargo run -q -p esbgate-gateway --bin esbgate --
# One process per test where cargo-nextest is there; the same tests without it.
RUN_TESTS := $(if $(shell cargo nextest --version 2>/dev/null),cargo nextest run --no-fail-fast,cargo test --no-fail-fast --lib --bins --tests)

.PHONY: help
help: ## this table
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## the document's sample call, all the way in and back, once
	@$(ESBGATE) demo --once

.PHONY: run
run: ## the same gateway with its stand-ins, staying up until Ctrl-C
	@$(ESBGATE) demo

.PHONY: test
test: test-tools check-deploy ## all tests and doc tests; installs what they need
	$(RUN_TESTS) --workspace
	cargo test --workspace --doc

# One run is the same every time it has the same seed.
CASES ?= 1000000
SEED ?= $(shell date +%s)

.PHONY: differential
differential: export DIFFERENTIAL_CASES = $(CASES)
differential: export DIFFERENTIAL_SEED = $(SEED)
differential: ## what was judged, recorded and sent are one call, in CASES calls from SEED
	cargo test --profile soak -p esbgate-gateway --test differential -- --nocapture one_call

RELOAD_SECONDS ?= 60

.PHONY: reload-soak
reload-soak: export RELOAD_SECONDS := $(RELOAD_SECONDS)
reload-soak: ## a policy replaced ten times a second, well and badly, under 300 calls a second
	cargo test --profile soak -p esbgate-gateway --test reload_soak -- --ignored --nocapture

AUDIT_RUNS ?= 300

.PHONY: audit-soak
audit-soak: export AUDIT_RUNS := $(AUDIT_RUNS)
audit-soak: export AUDIT_SEED = $(SEED)
audit-soak: ## a gateway that is killed AUDIT_RUNS times at moments from SEED: no call without its record
	cargo test --profile soak -p esbgate-gateway --test crash_soak -- --ignored --nocapture

.PHONY: soak
soak: ## the long runs that look for rare faults: a million differential cases, changing policies, kills
	$(MAKE) differential CASES=1000000
	$(MAKE) reload-soak
	$(MAKE) audit-soak

FUZZ_SECONDS ?= 60

.PHONY: fuzz
fuzz: ## each reader of foreign bytes under libFuzzer, FUZZ_SECONDS each (needs a C++ compiler)
	scripts/fuzz.sh $(FUZZ_SECONDS)

.PHONY: bench
bench: ## the steps alone, and loopback against a bare hyper relay
	cargo bench -p esbgate-benches

.PHONY: lint
lint: fmt-check clippy doc ## format, clippy and documentation, warnings are errors

.PHONY: deny
deny: ## licences, banned crates and sources of all that is linked (needs cargo-deny)
	cargo deny --locked check bans licenses sources

.PHONY: clean
clean: ## all that was built, the test tools' venv included
	cargo clean

.PHONY: test-tools
test-tools:
	@scripts/test-tools.sh

.PHONY: check-deploy
check-deploy: test-tools
	promtool check config deploy/prometheus/prometheus.yml
	promtool test rules deploy/prometheus/esbgate.rules.test.yml

.PHONY: fmt-check
fmt-check:
	cargo fmt --all -- --check

# The second line is what packages are built from: the demo is left out.
.PHONY: clippy
clippy:
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy -p esbgate-gateway --no-default-features -- -D warnings

.PHONY: doc
doc: export RUSTDOCFLAGS = -D warnings
doc:
	cargo doc --workspace --no-deps
