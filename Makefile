# Everything runs in .venv, which the first target that needs it makes from pyproject.toml.

PYTHON ?= python3
PY := .venv/bin/python
STAMP := .venv/.installed
.DEFAULT_GOAL := help
.PHONY: help demo demo-orchestration test lint format types unit integration bench bench-full torture torture-engine torture-planted build clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

demo: $(STAMP) ## the main job on real input, about a minute: send, consume, kill a consumer, look at the rows
	@$(PY) -m pgqueue demo

demo-orchestration: $(STAMP) ## fan out, fan in, bill once: six executions, orchestrators and callbacks killed, ten seconds
	@$(PY) -m pgqueue demo orchestration

test: $(STAMP) ## every lane below, through PgBouncer as well; a skipped test counts as a failure
	@$(PY) scripts/lanes.py lint types unit integration

lint: $(STAMP) ## ruff (rules and format) and the floors of the house (import-linter)
	@$(PY) scripts/lanes.py lint

format: $(STAMP) ## let ruff format the code and sort the imports
	@$(PY) -m ruff check --select I --fix --quiet . && $(PY) -m ruff format .

types: $(STAMP) ## mypy, strict
	@$(PY) scripts/lanes.py types

unit: $(STAMP) ## tests without database, network or sleep: seconds
	@$(PY) scripts/lanes.py unit

integration: $(STAMP) ## tests against a real Postgres and a real PgBouncer: minutes
	@$(PY) scripts/lanes.py integration

bench: $(STAMP) ## ours beside pgmq's SQL and a bare table, three minutes
	@$(PY) -m benchmarks short

bench-full: $(STAMP) ## every number of docs/benchmarks, with the peers: two hours on a machine that does nothing else
	@$(PY) -m benchmarks full

torture: $(STAMP) ## the real command under faults, judged by its history: make torture SEED=7 PROFILE=everything SECONDS=120
	@$(PY) -m tests_integration.torture system --profile $(or $(PROFILE),everything) --seeds $(or $(SEED),1..20) --seconds $(or $(SECONDS),120)

torture-engine: $(STAMP) ## the same for the SQL alone: twenty seeds, both kinds, ten crashes, the kept seeds: half an hour
	@$(PY) -m tests_integration.torture --seeds 1..20 && $(PY) -m tests_integration.torture crash && $(PY) -m tests_integration.torture regressions

torture-planted: $(STAMP) ## break the system in one place at a time and see the checker find it, fifteen minutes
	@$(PY) -m tests_integration.torture.planted $(NAMES)

build: $(STAMP) ## wheel and sdist into dist/
	@rm -rf dist && $(PY) -m build --outdir dist . >/dev/null && ls dist

clean: ## remove .venv, caches and built files; no data
	@rm -rf .venv build dist .lanes .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("pgqueue needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; say which: make PYTHON=python3.12 ...")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) can make no virtual environment: its module ensurepip is missing. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "making .venv (once, and again when pyproject.toml changes)"
	@test -x $(PY) || $(PYTHON) -m venv .venv
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-input --editable '.[dev]'
	@touch $@
