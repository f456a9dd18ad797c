# What people and CI type. `make check test` is what a change has to pass.

PYTHON ?= python
BENCH ?= --events 1000000
SOAK ?= --seconds 1800

.DEFAULT_GOAL := all
.PHONY: all install check format test reference bench bench-check soak clean

all: check test

install:  ## Into the environment that is active, for work on swak itself.
	$(PYTHON) -m pip install -e '.[dev]'

check:  ## Everything that needs no run: form, rules, types, layers.
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	lint-imports --no-logo

format:
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

test:
	$(PYTHON) -m pytest -q

reference:  ## What is generated from the plugins: swak/reference.pyi and docs/plugins.md.
	$(PYTHON) -m swak.reference

bench:  ## All workloads, beside the agents that are here; then following files. Draws benchmarks/results/bench.svg.
	$(PYTHON) -m swak bench $(BENCH) --plot benchmarks/results/bench.svg
	$(PYTHON) -m benchmarks.tailing

bench-check:  ## Instructions of W1 and W2 by valgrind: a tenth above benchmarks/results/instructions.json fails.
	$(PYTHON) -m benchmarks.instructions

soak:  ## Half an hour of kills and outages: nothing may be lost, nothing may grow. Draws benchmarks/results/soak.svg.
	$(PYTHON) -m benchmarks.soak $(SOAK)

clean:
	rm -rf build dist .ci/venv .ci/npm .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis swak-demo
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
