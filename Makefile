# The front door: `make` or `make help` lists what can be done.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
BASE   ?=
CASES  ?= 100000
SECONDS ?= 60
SEED   ?=

# Tests wait more than they compute: two processes for each core.
WORKERS ?= $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))

# A virtual environment holds absolute paths: this name says where it was made.
MADE := $(VENV)/.made-$(shell pwd | cksum | cut -d ' ' -f 1)

# Where this is set, every process of the tests would compile the package anew.
export PYTHONDONTWRITEBYTECODE =

NODE_MODULES := schema/node_modules/.package-lock.json

.DEFAULT_GOAL := help

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

run: $(VENV)/.run ## Receive events into unisights.sqlite3 (ARGS="--port 9000" for its options)
	@$(BIN)/unisights serve $(ARGS)

test: $(VENV)/.dev ## Run the tests (ARGS="-k cors" for pytest's options, WORKERS=1)
	@$(BIN)/pytest -n $(WORKERS) --dist loadgroup $(ARGS)

fuzz: $(VENV)/.dev ## Try to find payloads that judges disagree on (CASES=1000000 SECONDS=60 SEED=)
	@if command -v npm >/dev/null; then $(MAKE) -s $(NODE_MODULES); fi
	@$(BIN)/python -m tests.fuzz --cases $(CASES) --seconds $(SECONDS) --seed "$(SEED)"

mutate: $(VENV)/.mutate ## Change the code in many small ways; list what no test notices (ARGS="unisights._decoding.parsing*" for one module)
	@rm -rf mutants
	@CI=true $(BIN)/mutmut run $(ARGS) && $(BIN)/mutmut results

chaos: $(VENV)/.dev ## Kill servers, fill disks, and count what is lost (ARGS="--short")
	@$(BIN)/python -m tests.chaos $(ARGS)

test-matrix: $(VENV)/.dev ## Run them on CPython 3.11, 3.12 and 3.13, oldest and newest frameworks (ARGS="-e 3.11-oldest" for one)
	@PATH="$$PATH$$(pyenv prefix --help >/dev/null 2>&1 && pyenv versions --bare | \
		sed "s|.*|:$$(pyenv root)/versions/&/bin|" | tr -d '\n')" $(BIN)/tox run $(ARGS)

bench: $(VENV)/.bench bench-deps ## Measure beside peers, in two minutes (ARGS="decode load" for some parts)
	@$(BIN)/python -m benchmarks $(ARGS)

bench-full: $(VENV)/.bench bench-deps ## The same with more rounds, kept (make bench ARGS=--last prints the bars)
	@$(BIN)/python -m benchmarks --full $(ARGS)

bench-compare: $(VENV)/.bench bench-deps ## Compare the working tree with BASE, measured in turn (BASE=v1.0.0)
	@$(BIN)/python -m benchmarks --compare $(or $(BASE),HEAD) $(ARGS)

bench-deps: ## Install Debian's wrk, which makes the load, if this may install packages
	@command -v wrk >/dev/null || test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null || \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends wrk; }

browser-deps: ## Install Debian's Chromium, for the tests in tests/browser
	@command -v chromium >/dev/null || \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; }

sink-deps: ## Install Debian's PostgreSQL and Redis, for the tests in tests/sinks
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && command -v redis-server >/dev/null || \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql redis-server; }

generate: $(VENV)/.dev ## Generate from the schema: code, TypeScript types, tables, missing vectors
	@$(BIN)/python -m codegen
	@if command -v npm >/dev/null; then \
		$(MAKE) -s $(NODE_MODULES) && cd schema && npm run --silent generate && touch node_modules/.package-lock.json; \
	else echo "npm is not installed: schema/index.d.ts was NOT regenerated" >&2; fi

vectors: $(VENV)/.dev ## Record what becomes of the vectors, and show what has changed
	@$(BIN)/python -m codegen.vectors

check-generated: $(VENV)/.dev ## Fail if what is generated differs from the schema
	@$(BIN)/python -m codegen --check
	@if command -v npm >/dev/null; then \
		$(MAKE) -s $(NODE_MODULES) && cd schema && npm run --silent check; \
	else echo "npm is not installed: schema/index.d.ts was NOT checked" >&2; test -z "$$CI"; fi

check-schema: $(VENV)/.dev ## Fail if x-version hides what changed since BASE (BASE=v1.0.0)
	@$(BIN)/python -m codegen.evolution $(BASE)

lint: $(VENV)/.dev ## Check style and common mistakes
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(VENV)/.dev ## Format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

typecheck: $(VENV)/.dev ## Check the types, strictly, generated code too
	@$(BIN)/mypy

check: check-generated lint typecheck ## All checks except the tests

build: $(VENV)/.dev ## Build the wheel and the source distribution into dist/
	@$(BIN)/python -m build

clean: ## Remove the virtual environment, caches and what was built
	rm -rf $(VENV) dist build mutants .hypothesis .mypy_cache .pytest_cache .ruff_cache schema/node_modules

$(NODE_MODULES): schema/package-lock.json
	@cd schema && npm ci --silent && touch node_modules/.package-lock.json

# What was left half made, or was made where the checkout stood before, is made anew.
$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "unisights needs Python 3.11 or newer: make PYTHON=python3.12 ..." >&2; exit 1; }
	@rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
	@touch $@

$(VENV)/.run: pyproject.toml $(MADE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[serve]'
	@touch $@

$(VENV)/.dev: pyproject.toml $(MADE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.run

$(VENV)/.mutate: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[mutate]'
	@touch $@

$(VENV)/.bench: pyproject.toml $(MADE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@touch $@

.PHONY: help run test chaos fuzz mutate test-matrix bench bench-full bench-compare bench-deps browser-deps sink-deps generate vectors check-generated check-schema lint format typecheck check build clean
