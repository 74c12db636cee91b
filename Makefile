# Everything a fresh machine needs is installed here: Python >= 3.11 and make are enough. The lock
# files name every package, so pip is told not to resolve any (`--no-deps`). The sources are compiled
# as a wheel's are, so that a command starts as fast where Python may write no bytecode.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKSPACE ?= perovshell-workspace

.PHONY: run test check tools lint types docs figures wheel lock licences audit pythons bench power pooling order kills swap \
  mixed two full-disk clocks fuzz mutation clean

run: $(VENV)/.run
	$(BIN)/perovshell train --workspace $(WORKSPACE)
	$(BIN)/perovshell rank --workspace $(WORKSPACE)

test: $(VENV)/.all tools
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: $(VENV)/.all tools lint types docs
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term --cov-fail-under=95
	$(MAKE) wheel

# What tests and benchmarks need beside Python; on Debian and Ubuntu, as root, it is installed here.
tools:
	@missing=""; \
	command -v chromium > /dev/null || missing="$$missing chromium"; \
	command -v node > /dev/null || missing="$$missing nodejs"; \
	command -v wrk > /dev/null || missing="$$missing wrk"; \
	command -v caddy > /dev/null || missing="$$missing caddy"; \
	command -v openssl > /dev/null || missing="$$missing openssl"; \
	command -v curl > /dev/null || missing="$$missing curl"; \
	command -v patch > /dev/null || missing="$$missing patch"; \
	PATH="$$PATH:/usr/sbin" command -v nginx > /dev/null || missing="$$missing nginx-light"; \
	command -v faketime > /dev/null || missing="$$missing faketime"; \
	ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 || command -v initdb > /dev/null || \
	  missing="$$missing postgresql"; \
	test -z "$$missing" || { apt-get update -qq && \
	  apt-get install -y -qq --no-install-recommends $$missing > /dev/null; } || \
	  { echo "Needed:$$missing: install it."; exit 1; }

lint: $(VENV)/.all
	$(BIN)/ruff check src tests benchmarks scripts examples docs conftest.py
	$(BIN)/ruff format --check src tests benchmarks scripts examples docs conftest.py
	$(BIN)/lint-imports --no-logo --no-cache

types: $(VENV)/.all
	$(BIN)/mypy

# Pages, from docs/; a warning is an error, and so is a link to a page or a heading that is not there.
docs: $(VENV)/.all
	$(BIN)/sphinx-build -q -W --keep-going -E docs build/docs

# Plots, figures and the model card in docs/, from the whole validation: ten minutes.
figures: $(VENV)/.all
	$(BIN)/python scripts/figures.py

wheel: $(VENV)/.all
	sh scripts/check_wheel.sh $(BIN)/python

# Every budget beside what it is measured against, into docs/benchmarks.md: about 35 minutes.
bench: $(VENV)/.all tools
	$(BIN)/python scripts/bench.py

# After `make lock`: the licences of what is locked, for docs/reference/licences.md.
licences: $(VENV)/.all
	sh scripts/licences.sh $(BIN)

# Known advisories for what is locked, asked of PyPI: needs the internet. Only what this machine and
# this Python install is asked for. `--strict`, since pip-audit would else pass a package that PyPI
# says nothing about.
audit: $(VENV)/.all
	$(BIN)/pip-audit --disable-pip --require-hashes --strict -r requirements.lock

# The other Pythons that pyproject.toml names: the tests, without the page's, in fresh environments
# made from the lock, on a copy of the tracked files.
PYTHONS ?= python3.12 python3.13
pythons:
	@set -e; temporary=$$(mktemp -d); trap 'rm -rf "$$temporary"' EXIT; \
	for python in $(PYTHONS); do \
	  echo "== $$python"; place=$$temporary/$$(basename $$python); mkdir "$$place"; \
	  git ls-files | tar -cf - -T - | tar -xf - -C "$$place"; \
	  $$python -m venv "$$place/$(VENV)"; \
	  (cd "$$place"; \
	    $(BIN)/python -m pip install -q --no-deps --require-hashes -r requirements.lock; \
	    $(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .; \
	    $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --ignore=tests/serve/service/test_page.py tests); \
	done

# Long campaigns: power of the promotion check on simulated additions; whether the bounds of pooled
# evidence hold where the truth is known; how far a paper or a laboratory moves the order of
# rankings; whether anything is lost when commands are killed, when the disk gets full or when the
# clock jumps; whether the service drops or mixes answers while models change and workers are killed,
# also where two services and two retrainings share a workspace; whether any request makes it fail.
# `make test` runs a short form of each; docs/explanation/campaigns.md has what they found.
power: $(VENV)/.all
	$(BIN)/python scripts/power.py

pooling: $(VENV)/.all
	$(BIN)/python scripts/pooling.py

order: $(VENV)/.all
	$(BIN)/python scripts/order_stability.py

KILLS ?= 1000
kills: $(VENV)/.all
	$(BIN)/python scripts/kills.py --kills $(KILLS)

swap: $(VENV)/.all
	$(BIN)/python scripts/swap_under_load.py

# Two workers under mixed load, while models change and workers are killed.
MIXED_MINUTES ?= 90
mixed: $(VENV)/.all
	$(BIN)/python scripts/mixed_load.py --minutes $(MIXED_MINUTES)
TWO_MINUTES ?= 30
two: $(VENV)/.all
	$(BIN)/python scripts/two_of_each.py --minutes $(TWO_MINUTES)

# As root, since each trial has a small disk of its own.
full-disk: $(VENV)/.all
	$(BIN)/python scripts/full_disk.py

clocks: $(VENV)/.all tools
	$(BIN)/python scripts/clock_jumps.py

FUZZ_SECONDS ?= 600
FUZZ_BODIES ?= 1000000
fuzz: $(VENV)/.all
	sh scripts/fuzz.sh $(BIN)/python --max-time $(FUZZ_SECONDS)
	$(BIN)/python scripts/fuzz_bodies.py --bodies $(FUZZ_BODIES)

# Small faults are put into the modules that carry the science, one at a time: how many do their
# tests find? Half an hour or so on two free cores. `mutmut results` names the others, `mutmut show`
# shows one. Fails where a module's share is below 80 %.
mutation: $(VENV)/.all
	rm -rf mutants
	$(BIN)/mutmut run
	@$(BIN)/mutmut results --all true | awk -F': ' '\
	  { sub(/^ */, ""); sub(/[.][^.]*$$/, "", $$1); if (!all[$$1]++) order[++modules] = $$1 } \
	  $$2 ~ /^(killed|timeout)$$/ { found[$$1]++ } \
	  END { for (k = 1; k <= modules; k++) { name = order[k]; share = 100 * found[name] / all[name]; \
	    printf "%s: %d of %d found (%.0f %%)\n", name, found[name], all[name], share; \
	    low += share < 80 } exit low > 0 }'

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
	$(BIN)/python -m compileall -q src
	touch $@

$(VENV)/.all: $(VENV)/.made requirements.lock pyproject.toml
	$(BIN)/python -m pip install -q --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q src
	touch $@

clean:
	rm -rf $(VENV) build dist .coverage .pytest_cache .mypy_cache .ruff_cache mutants src/*.egg-info
