# The verbs of this repository. `make` alone lists them. Needs Python 3.11+, git and make; everything else goes into .venv.

PYTHON ?= python3
SOAK ?= 20
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench docs pictures soak lock clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## batches are dropped, models retrained, the daemon killed and started again (under two minutes)
	@$(BIN)/python examples/demo.py

test: $(READY) ## all tests (one part: make test ARGS="tests/engine -q")
	@$(BIN)/python -m pytest $(ARGS)

check: $(READY) ## the static checks: ruff, formatting, types, layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports

format: $(READY) ## lay the code out, and mend what ruff can mend
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: $(READY) ## the engine beside the bare limit of this machine and disk, and how quick sensors are
	@$(BIN)/python benchmarks/engine.py
	@$(BIN)/python benchmarks/sensors.py

docs: $(READY) ## run the examples of README and docs/, follow their links
	@$(BIN)/python -m pytest tests/docs $(ARGS)

pictures: $(READY) ## draw the pictures of docs/ anew, from the examples beside them
	@$(BIN)/python -m tests.docs.pictures

soak: $(READY) ## the crash tests, SOAK times as long (make soak SOAK=100)
	@EVENTFLOW_SOAK=$(SOAK) $(BIN)/python -m pytest tests/crash -o timeout=0 $(ARGS)

lock: $(READY) ## work out requirements.lock anew from pyproject.toml
	@$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra ml --group dev --universal --python-version 3.11 \
		--upgrade --generate-hashes --no-header --no-annotate --quiet -o requirements.lock

clean: ## remove the environment, caches, builds and the demo's data
	rm -rf .venv .eventflow data build dist .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Made once, and again when what it is made from has changed. The lock's hashes are checked; nothing outside it is installed.
$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "eventflow needs Python 3.11 or newer. Name one: make PYTHON=python3.13 $(MAKECMDGOALS)"; exit 1; }
	@echo "Making .venv: a minute, once ..."
	@$(PYTHON) -m venv .venv \
		|| { echo "$(PYTHON) cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@
