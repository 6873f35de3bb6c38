# One command runs everything that CI runs: make test. PORT= changes the demo's port.
PORT ?= 8000
# The first Python that really runs and is new enough.
PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$python -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= $(shell nproc 2>/dev/null || echo 2)

.PHONY: demo test check bench lock install prepare translations clean

install: $(VENV)/.installed

$(VENV)/.installed: requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later with venv is needed: apt-get install python3 python3-venv"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: install
	@$(BIN)/portal migrate
	@$(BIN)/portal demo
	@$(BIN)/portal serve --port $(PORT)

prepare: install
	@tests/support/prepare.sh

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/djlint portal/templates --lint --quiet
	$(BIN)/mypy

test: prepare check
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -q

bench: install
	$(BIN)/python -m bench

translations: install
	$(BIN)/python -m tests.support.translations

lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate requirements.in -o requirements.txt

clean:
	rm -rf $(VENV) instance .mypy_cache .ruff_cache
