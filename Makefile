# Everything a fresh machine needs is installed here: Python >= 3.11 and make are enough. The lock
# files name every package, so pip is told not to resolve any (`--no-deps`).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKSPACE ?= perovshell-workspace

.PHONY: run test check lint types wheel lock bench power kills clean

run: $(VENV)/.run
	$(BIN)/perovshell train --workspace $(WORKSPACE)
	$(BIN)/perovshell rank --workspace $(WORKSPACE)

test: $(VENV)/.all
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: $(VENV)/.all lint types
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=term --cov-fail-under=95
	$(MAKE) wheel

lint: $(VENV)/.all
	$(BIN)/ruff check src tests benchmarks scripts
	$(BIN)/ruff format --check src tests benchmarks scripts

types: $(VENV)/.all
	$(BIN)/mypy

wheel: $(VENV)/.all
	sh scripts/check_wheel.sh $(BIN)/python

bench: $(VENV)/.all
	for script in benchmarks/[a-z]*.py; do $(BIN)/python $$script || exit 1; done

# Long campaigns: how sure the gate is, on simulated additions; and whether anything is lost when
# commands are killed. `make test` runs a short form of both.
power: $(VENV)/.all
	$(BIN)/python scripts/gate_power.py

kills: $(VENV)/.all
	$(BIN)/python scripts/kills.py

# `uv` makes the lock files; no index address is written into them.
lock:
	uv pip compile -q pyproject.toml --extra train --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links \
	  -o requirements-run.lock
	uv pip compile -q pyproject.toml --extra serve --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links \
	  -c requirements-run.lock -o requirements-serve.lock
	uv pip compile -q pyproject.toml --all-extras --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links \
	  -c requirements-run.lock -c requirements-serve.lock -o requirements.lock

$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.run: $(VENV)/.made requirements-run.lock pyproject.toml
	test -e $(VENV)/.all || $(BIN)/python -m pip install -q --no-deps --require-hashes -r requirements-run.lock
	test -e $(VENV)/.all || $(BIN)/python -m pip install -q --no-deps -e .
	touch $@

$(VENV)/.all: $(VENV)/.made requirements.lock pyproject.toml
	$(BIN)/python -m pip install -q --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	touch $@

clean:
	rm -rf $(VENV) build dist .coverage .pytest_cache .mypy_cache .ruff_cache src/*.egg-info
