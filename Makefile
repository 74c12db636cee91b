# Everything a fresh machine needs is installed here: Python >= 3.11 and make are enough. The lock
# files name every package, so pip is told not to resolve any (`--no-deps`).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKSPACE ?= perovshell-workspace

.PHONY: run test check browser lint types wheel lock bench power kills swap fuzz clean

run: $(VENV)/.run
	$(BIN)/perovshell train --workspace $(WORKSPACE)
	$(BIN)/perovshell rank --workspace $(WORKSPACE)

test: $(VENV)/.all browser
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: $(VENV)/.all browser lint types
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term --cov-fail-under=95
	$(MAKE) wheel

# The page is tested in a real browser; on Debian and Ubuntu, as root, it is installed here.
browser:
	@command -v chromium > /dev/null || { apt-get update -qq && \
	  apt-get install -y -qq --no-install-recommends chromium > /dev/null; } || \
	  { echo "The tests of the page need chromium: install it."; exit 1; }

lint: $(VENV)/.all
	$(BIN)/ruff check src tests benchmarks scripts examples
	$(BIN)/ruff format --check src tests benchmarks scripts examples

types: $(VENV)/.all
	$(BIN)/mypy

wheel: $(VENV)/.all
	sh scripts/check_wheel.sh $(BIN)/python

bench: $(VENV)/.all
	for script in benchmarks/[a-z]*.py; do $(BIN)/python $$script || exit 1; done

# Long campaigns: how sure the gate is, on simulated additions; whether anything is lost when
# commands are killed; whether the service drops or mixes answers while models change; whether any
# request makes it fail. `make test` runs a short form of each.
power: $(VENV)/.all
	$(BIN)/python scripts/gate_power.py

kills: $(VENV)/.all
	$(BIN)/python scripts/kills.py

swap: $(VENV)/.all
	$(BIN)/python scripts/swap_under_load.py

fuzz: $(VENV)/.all
	$(BIN)/python scripts/fuzz_service.py

# `uv` makes the lock files; no index address is written into them.
lock:
	uv pip compile -q pyproject.toml --extra train --extra serve --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links \
	  -o requirements-run.lock
	uv pip compile -q pyproject.toml --extra serve --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links \
	  -c requirements-run.lock -o requirements-serve.lock
	uv pip compile -q pyproject.toml --all-extras --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links \
	  -c requirements-run.lock -o requirements.lock

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
