# Everything a reader of the README types. `make` alone says what there is.

SHELL := /bin/bash
SWIFT ?= swift
DATA  ?= $(HOME)/.local/share/nexa
# Debian packages: what the server and the shell link, and what only the tests use.
BUILD_PACKAGES := librocksdb-dev libargon2-dev libpcre2-dev libedit-dev
TEST_PACKAGES  := $(BUILD_PACKAGES) python3 python3-venv
BENCH_PACKAGES := $(TEST_PACKAGES) redis-server postgresql

.PHONY: help shell server test lint format bench deps deps-test deps-bench sanitize clean

help:
	@echo "make shell     build, then open nexa on an embedded database in $(DATA)"
	@echo "make test      run every test and every example"
	@echo "make bench     compare with Redis and PostgreSQL in one run"
	@echo "make lint      check the format, and that every public symbol is documented"
	@echo "make sanitize  run the tests under the thread and the address sanitizer"

# Installs what is missing and says what it does; silent when all is there.
define install
	@missing=""; for package in $(1); do \
	  dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; done; \
	if [ -n "$$missing" ]; then \
	  echo "Installing:$$missing"; sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  $$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq $$missing >/dev/null; fi
endef

deps:
	$(call install,$(BUILD_PACKAGES))

deps-test:
	$(call install,$(TEST_PACKAGES))

deps-bench:
	$(call install,$(BENCH_PACKAGES))

.build/release/nexa .build/release/nexadb: FORCE | deps
	@$(SWIFT) build -c release --product nexadb
	@$(SWIFT) build -c release --product nexa

FORCE:

shell: .build/release/nexa .build/release/nexadb
	@mkdir -p "$(DATA)" && .build/release/nexa --local "$(DATA)"

server: .build/release/nexadb

test: deps-test
	@Tests/run.sh

lint:
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests Server/Package.swift Server/Sources \
	  Shell/Package.swift Shell/Sources Examples

format:
	$(SWIFT) format --in-place --recursive Package.swift Sources Tests Server/Package.swift Server/Sources \
	  Shell/Package.swift Shell/Sources Examples

sanitize: deps-test
	NEXA_TSAN=1 $(SWIFT) build --build-tests --sanitize=thread --scratch-path .build/thread
	NEXA_TSAN=1 $(SWIFT) build --product nexadb --sanitize=thread --scratch-path .build/thread
	NEXA_TSAN=1 $(SWIFT) build --product nexa --sanitize=thread --scratch-path .build/thread
	NEXA_TSAN=1 $(SWIFT) test --skip-build --no-parallel --sanitize=thread --scratch-path .build/thread
	$(SWIFT) build --build-tests --sanitize=address --scratch-path .build/address
	$(SWIFT) build --product nexadb --sanitize=address --scratch-path .build/address
	$(SWIFT) build --product nexa --sanitize=address --scratch-path .build/address
	$(SWIFT) test --skip-build --no-parallel --sanitize=address --scratch-path .build/address

bench: deps-bench
	@Tests/Benchmarks/run.sh

clean:
	rm -rf .build
