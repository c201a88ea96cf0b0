# The commands of this repository. `make` alone lists them.

TARGET  := $(or $(CARGO_TARGET_DIR),target)
SERVERS := $(or $(ASTERISM_TEST_SERVERS),$(TARGET)/servers)
WEB_SOURCES := $(shell find web -path web/node_modules -prune -o -path web/dist -prune -o -path web/src -prune \
                 -o -type f ! -name '*.rs' ! -name Cargo.toml ! -name package-lock.json -print)
# Arguments for the cluster: make run UP='--nodes 9 --policy 6+3'
UP ?=
BENCH ?=
# How many seeds, and the first one: make simulate SEEDS=100 FROM=5000
SEEDS ?= 10000
FROM ?= 0
# How many times as many trials as in `make test`: make faults FAULTS=20
FAULTS ?= 5

.DEFAULT_GOAL := help
.PHONY: help run build web test test-servers lint fmt bench bench-peers faults simulate clean \
        check-tools check-web-tools test-build test-fmt test-clippy test-deny test-rust test-web

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: build ## Build everything and start a cluster of six nodes on this machine (UP='--nodes 9' for other settings)
	@exec $(TARGET)/release/asterism up $(UP)

build: check-tools web ## Build the release binary, web page included
	cargo build --locked --release --package asterism

web: check-web-tools web/dist/index.html ## Build the web page

test: ## Install what the tests need, then run every check and test
	@.ci/phases test-servers web test-fmt test-build test-clippy test-deny test-web test-rust

test-servers: ## Install the servers, the browser and the tools that the tests run against
	@e2e/servers/install.sh

lint: test-fmt test-clippy ## Check the layout of the Rust code and its lints

fmt: ## Lay out the Rust code and the web page's
	cargo fmt --all
	cd web && npm run format

bench: build ## Measure codec and cluster beside the machine's ceilings and peers (BENCH='--quick' for other settings)
	cargo bench --locked --package asterism-erasure --bench codec
	cargo run --locked --release --package asterism-bench -- $(BENCH)

bench-peers: ## Build what `make bench` compares with, where it is to be had: MinIO (minutes) and other codecs
	$(call tool,command -v go,go is missing: the peers are built with Go 1.24 or newer.)
	@mkdir -p $(TARGET)/peers
	cd bench/peers/klauspost && go build -o '$(abspath $(TARGET))/peers/klauspost' .
	@if echo '#include <isa-l/erasure_code.h>' | cc -E - >/dev/null 2>&1; then \
	  cc -O2 -Wall -o $(TARGET)/peers/isal bench/peers/isal/main.c -lisal; \
	else echo 'ISA-L is left out: its headers are not installed (Debian: libisal-dev).'; fi
	GOBIN='$(abspath $(TARGET))/peers' GOFLAGS=-buildvcs=false go install github.com/minio/minio@latest

faults: test-servers test-build ## Inject every fault many times, figures into docs/faults.md (FAULTS=20 for more; as root)
	@e2e/faults.sh $(FAULTS)

simulate: web ## Run a simulated cluster under 10,000 seeds, or replay one (ASTERISM_SEED=N make simulate)
	cargo run --locked --release --package asterism-simulation -- --seeds $(SEEDS) --from $(FROM)

clean: ## Remove everything that was built or installed here
	cargo clean
	rm -rf web/dist web/node_modules e2e/page/node_modules e2e/shots

# --- the page -------------------------------------------------------------------------------------------------------

web/node_modules/.installed: web/package-lock.json
	cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

web/dist/index.html: web/node_modules/.installed $(WEB_SOURCES)
	cd web && npm run build
	@touch $@

# --- the phases of `make test`: each runs by itself too --------------------------------------------------------------

# Libraries, binaries and tests in one go: what later phases ask for is then there, compiled once with one feature set.
test-build: web
	cargo build --locked --workspace --lib --bins --tests

test-fmt:
	cargo fmt --all --check

test-clippy:
	cargo clippy --locked --workspace --all-targets -- -D warnings

test-deny:
	$(SERVERS)/bin/cargo-deny --locked check --hide-inclusion-graph licenses bans sources

test-web: web
	cd web && npm run check

# The journeys in `e2e` start the binaries of `test-build`. One test at a time: each of those in `e2e` starts a cluster of its own, and
# the fault tests measure how long requests take.
test-rust: test-build
	RUST_TEST_THREADS=1 cargo test --locked --workspace --no-fail-fast

# --- one sentence for each tool that is missing ----------------------------------------------------------------------

# $(call tool,command to try,what to install)
tool = @$(1) >/dev/null 2>&1 || { echo 'make: $(2)' >&2; exit 1; }

check-tools: check-web-tools
	$(call tool,command -v cargo,cargo is missing: install Rust 1.95 or newer.)
	$(call tool,command -v cc,a C compiler is missing: install gcc (Debian: build-essential).)
	$(call tool,perl -MFindBin -MIPC::Cmd -e1,perl with its standard modules is missing: OpenSSL for SSH is built with it.)

check-web-tools:
	$(call tool,command -v node,node is missing: the web page is built with Node.js 20.19 or newer.)
	$(call tool,command -v npm,npm is missing: it comes with Node.js 20.19 or newer.)
