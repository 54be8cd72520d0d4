# `make demo` and `make test` need git, make, Python 3.11+ and a package index; they install into .venv and nowhere else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo up test check lint types bench chaos lock clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*##/  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "leanfleet needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@echo "Creating $(VENV)"
	@$(PYTHON) -m venv $(VENV) \
		|| { rm -rf $(VENV); echo "python3 -m venv failed (Debian: apt-get install python3-venv)"; exit 1; }

# The stamps are newer than the locks from which they were made; pip itself checks every hash.
$(VENV)/.local: requirements/local.txt pyproject.toml | $(BIN)/python
	@echo "Installing what runs on one computer (about 150 MB, once)"
	@$(PIP_INSTALL) --require-hashes -r requirements/local.txt
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.local
	@echo "Installing the development tools"
	@$(PIP_INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(VENV)/.local  ## start a fleet on this computer, check the example theorems on it, stop it
	@$(BIN)/leanfleet demo

up: $(VENV)/.local  ## run the local fleet in the foreground until Ctrl-C
	@$(BIN)/leanfleet up

test: $(VENV)/.dev  ## all tests; for some: make test PYTEST_ARGS="tests/unit -x"
	@$(BIN)/pytest $(PYTEST_ARGS)

lint: $(VENV)/.dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: $(VENV)/.dev
	@$(BIN)/mypy

check: lint types test  ## what CI runs: formatting, lint, types, tests

bench: $(VENV)/.dev  ## every benchmark, each as ratios within one run
	@$(BIN)/python -m benchmarks

chaos: $(VENV)/.dev  ## faults under load: make chaos SEED=7 MINUTES=10 BROKER=rabbitmq
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) --minutes $(or $(MINUTES),5) --broker $(or $(BROKER),valkey)

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

lock: $(VENV)/.dev  ## write the locked requirements anew (every platform, with hashes)
	@$(LOCK) --extra local pyproject.toml requirements/build.in -o requirements/local.txt
	@$(LOCK) --extra dev -c requirements/local.txt pyproject.toml requirements/build.in -o requirements/dev.txt
	@$(LOCK) --extra worker --extra lean --extra gcp -c requirements/dev.txt pyproject.toml requirements/build.in \
		-o requirements/worker.txt

clean:
	@rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
