# Everything a reader of the README types. `make` alone says what there is.

SHELL := /bin/bash
SWIFT ?= swift
# Some containers set no HOME, where Swift keeps its caches: then it is what the user database says.
ifeq ($(HOME),)
export HOME := $(shell cd ~ 2>/dev/null && pwd || echo "$(CURDIR)/.build")
endif
DATA  ?= $(HOME)/.local/share/nexa
FUZZ_SECONDS ?= 600
# Inputs for each of the targets that read bytes; 10000000 make the hundred million.
FUZZ_RUNS ?= $$(( $(FUZZ_SECONDS) * 1000 ))
RUNS  ?= 10000
# How many events in a row the pool is explored for.
EVENTS ?= 8
# Debian packages: what the server and the shell link, and what only the tests use.
BUILD_PACKAGES := librocksdb-dev libargon2-dev libpcre2-dev libedit-dev libssl-dev zlib1g-dev
TEST_PACKAGES  := $(BUILD_PACKAGES) git openssl python3 python3-venv
BENCH_PACKAGES := $(TEST_PACKAGES) redis-server postgresql sqlite3

.PHONY: kills explore help shell server standalone install uninstall test test-install lint format bench bench-client bench-engine bench-vectors bench-shell first-hour fuzz interruptions deps deps-test deps-bench sanitize clean

help:
	@echo "make shell     build, then open nexa on an embedded database in $(DATA)"
	@echo "make install   build programs that run without Swift, and install them (PREFIX=/usr/local, DESTDIR=)"
	@echo "make uninstall remove them"
	@echo "make test      run every test and every example"
	@echo "make test-install  check what make install leaves; builds the release, which takes minutes"
	@echo "make bench     compare with Redis and PostgreSQL in one run"
	@echo "make bench-client  compare the client with a plain socket"
	@echo "make bench-engine  compare queries, indexes and transactions with PostgreSQL"
	@echo "make bench-vectors  compare vector indexes with hnswlib, usearch and Faiss"
	@echo "make bench-shell  compare the shell with psql, redis-cli, sqlite3 and duckdb"
	@echo "make fuzz      mutated inputs, random keys and random signals, for FUZZ_SECONDS ($(FUZZ_SECONDS))"
	@echo "make explore   every history of EVENTS ($(EVENTS)) events of the connection pool"
	@echo "make kills     cut connections and restart servers RUNS ($(RUNS)) times under calls and change streams"
	@echo "make interruptions  RUNS ($(RUNS)) imports, exports and typing at a terminal, interrupted at random moments"
	@echo "make first-hour  type the first hour of the README at a terminal, and record it into Examples"
	@echo "make lint      check the format, and that every public symbol is documented"
	@echo "make sanitize  run the tests under the thread and the address sanitizer"

# Says in a sentence what this machine lacks, before something fails in a less friendly way.
define check
	@if ! command -v $(firstword $(SWIFT)) >/dev/null; then \
	  echo "Swift 6.2 or later is needed: https://www.swift.org/install/linux (or make SWIFT=/path/to/swift)" >&2; exit 1; fi; \
	version=$$($(SWIFT) --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -1); \
	if [ "$$(printf '6.2\n%s\n' "$${version:-0}" | sort -V | head -1)" != 6.2 ]; then \
	  echo "Swift 6.2 or later is needed, and '$(SWIFT)' is $${version:-of an unknown version}: https://www.swift.org/install/linux" >&2; exit 1; fi; \
	if ! [ -w . ]; then \
	  echo "$(CURDIR) cannot be written to: copy it to a folder of your own and build there" >&2; exit 1; fi; \
	case "$${PWD##*/}" in [Ss]erver|[Ss]hell) \
	  echo "The checkout must not be called '$${PWD##*/}', as a package in it is: rename the folder" >&2; exit 1;; esac
endef

# Installs what is missing and says what it does; silent when all is there.
define install
	@missing=""; for package in $(1); do \
	  dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; done; \
	if [ -n "$$missing" ]; then \
	  if ! command -v apt-get >/dev/null; then \
	    echo "This is no Debian or Ubuntu: install what they call$$missing, then run '$(SWIFT) build'" >&2; exit 1; fi; \
	  sudo=""; if [ "$$(id -u)" != 0 ]; then \
	    sudo=sudo; if ! command -v sudo >/dev/null; then \
	      echo "Run this as root: apt-get install$$missing" >&2; exit 1; fi; fi; \
	  echo "Installing:$$missing"; \
	  if ! { $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive \
	    apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 $$missing >/dev/null; }; then \
	    echo "apt-get could not install$$missing; its words are above" >&2; exit 1; fi; fi
endef

.PHONY: check
check:
	$(call check)

deps: check
	$(call install,$(BUILD_PACKAGES))

deps-test: check
	$(call install,$(TEST_PACKAGES))

deps-bench: check
	$(call install,$(BENCH_PACKAGES))

.build/release/nexa .build/release/nexadb &: FORCE | deps
	@$(SWIFT) build -c release --product nexadb
	@$(SWIFT) build -c release --product nexa

FORCE:

shell: .build/release/nexa .build/release/nexadb
	@mkdir -p "$(DATA)" && .build/release/nexa --local "$(DATA)"

server: .build/release/nexadb

# The programs to install. Make compares the times, so that `sudo make install` behind `make standalone` builds nothing.
STANDALONE := .build/standalone
PREFIX  ?= /usr/local
DESTDIR ?=
SOURCES := $(shell find Package.swift Sources Server/Package.swift Server/Sources Shell/Package.swift Shell/Sources \
  Shell/Packaging/build.sh Shell/Packaging/archives.sh Shell/Packaging/lazy-openssl.c -type f -not -name '*.md')

$(STANDALONE)/nexa $(STANDALONE)/nexadb &: $(SOURCES)
	@$(MAKE) --no-print-directory deps
	@SWIFT="$(SWIFT)" Shell/Packaging/build.sh $(STANDALONE)

standalone: $(STANDALONE)/nexa $(STANDALONE)/nexadb

install: $(STANDALONE)/nexa $(STANDALONE)/nexadb
	@PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" Shell/Packaging/install.sh install $(STANDALONE)

uninstall:
	@PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" Shell/Packaging/install.sh uninstall $(STANDALONE)

test-install: deps-test
	@Tests/Install/check.sh

test: deps-test
	@Tests/run.sh

lint:
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests Server/Package.swift Server/Sources \
	  Shell/Package.swift Shell/Sources Examples

format:
	$(SWIFT) format --in-place --recursive Package.swift Sources Tests Server/Package.swift Server/Sources \
	  Shell/Package.swift Shell/Sources Examples

# One kind of report is the runtime's: it does not tell the thread sanitizer that a task goes on behind `resume` when its
# continuation is resumed before the closure that was given it has returned (swift_continuation_await then goes on without
# __tsan_acquire). What was written before `resume` is reported against what the task does: PendingCall.clear and the
# outcome in ClientDriver.send, against ClientDriver.handle. Twenty lines with a thread and a continuation show the same.
sanitize: deps-test
	NEXA_TSAN=1 $(SWIFT) build --build-tests --sanitize=thread --scratch-path .build/thread
	NEXA_TSAN=1 $(SWIFT) build --product nexadb --sanitize=thread --scratch-path .build/thread
	NEXA_TSAN=1 $(SWIFT) build --product nexa --sanitize=thread --scratch-path .build/thread
	NEXA_TSAN=1 $(SWIFT) test --skip-build --no-parallel --sanitize=thread --scratch-path .build/thread
	NEXA_ASAN=1 $(SWIFT) build --build-tests --sanitize=address --scratch-path .build/address
	NEXA_ASAN=1 $(SWIFT) build --product nexadb --sanitize=address --scratch-path .build/address
	NEXA_ASAN=1 $(SWIFT) build --product nexa --sanitize=address --scratch-path .build/address
	NEXA_ASAN=1 $(SWIFT) test --skip-build --no-parallel --sanitize=address --scratch-path .build/address

fuzz: deps-test
	$(SWIFT) build --build-tests && $(SWIFT) build --product nexadb && $(SWIFT) build --product nexa
	NEXA_KEY_FUZZ_SECONDS=$(FUZZ_SECONDS) NEXA_SWEEP_RUNS=$(FUZZ_SECONDS) $(SWIFT) test --skip-build \
	  --filter 'KeyFuzzTests|SignalSweepTests'
	Tests/Fuzz/run.sh $(FUZZ_RUNS)

explore: deps-test
	$(SWIFT) build --build-tests
	NEXA_EVENTS=$(EVENTS) $(SWIFT) test --skip-build --no-parallel --filter PoolExplorationTests

kills: deps-test
	$(SWIFT) build --build-tests
	NEXA_KILLS=$(RUNS) NEXA_CHANGE_KILLS=$(RUNS) NEXA_PROCESS_LEDGER=1 $(SWIFT) test --skip-build --no-parallel \
	  --filter 'NexaClientTests.*Kills'

interruptions: deps-test
	$(SWIFT) build --build-tests && $(SWIFT) build --product nexadb && $(SWIFT) build --product nexa
	NEXA_INTERRUPTION_RUNS=$(RUNS) $(SWIFT) test --skip-build --filter InterruptionTests

first-hour: deps-test $(STANDALONE)/nexa $(STANDALONE)/nexadb
	$(SWIFT) build --build-tests && $(SWIFT) build --product nexadb && $(SWIFT) build --product nexa
	NEXA_FIRST_HOUR=1 NEXA_FIRST_HOUR_PROGRAMS="$(CURDIR)/$(STANDALONE)" $(SWIFT) test --skip-build --filter FirstHourTests

bench: deps-bench
	@Tests/Benchmarks/run.sh

bench-client: deps-test
	@Tests/Benchmarks/run.sh client

bench-engine: deps-bench
	@Tests/Benchmarks/engine.sh

bench-vectors: deps-test
	@Tests/Benchmarks/vectors.sh

bench-shell: deps-bench
	@Tests/Benchmarks/shell.sh

clean:
	rm -rf .build
