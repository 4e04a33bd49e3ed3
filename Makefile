# Commands for developers. `make run` and `make test` need only Python 3.11+ with venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input install --root-user-action=ignore
DECLARED := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help run test slow check lint format bench clean

help: ## Show this list
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

run: $(VENV)/.installed ## Start everything: the embedded server, Dagster, the API and the dashboard
	@$(BIN)/ledger up

test: $(VENV)/.installed-dev ## Run the tests
	@$(BIN)/pytest

slow: $(VENV)/.installed-dev ## Run the slow tests, which take minutes: killed processes, stopped servers, demos
	@$(BIN)/pytest -m slow

check: lint test slow ## Lint, format check, types and all tests; CI also tests bare machines (.ci/run)

lint: $(VENV)/.installed-dev ## Lint, format check and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/mypy .ci/bare_machine.py .ci/structure.py .ci/words.py
	@$(BIN)/python .ci/structure.py > /dev/null
	@$(BIN)/python .ci/words.py

format: $(VENV)/.installed-dev ## Format the code and apply the automatic fixes of lint
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

bench: $(VENV)/.installed-bench ## Run the benchmarks
	@$(BIN)/python -m ledger_pipelines_tests.bench

clean: ## Remove the virtual environment and caches; keep the data (.ledger)
	@rm -rf $(VENV) .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Python 3.11 or newer is needed, but $(PYTHON) is: $$($(PYTHON) --version 2>&1 | head -n 1)."; \
	  echo "Choose another Python, for example: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; } >&2
	@echo "Creating $(VENV) ..."
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "$(PYTHON) cannot create virtual environments; on Debian and Ubuntu install python3-venv."; exit 1; } >&2
	@touch $@

$(VENV)/.installed: $(VENV)/.created $(DECLARED)
	@echo "Installing the dependencies of the project (once) ..."
	@$(PIP) -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.created $(DECLARED)
	@echo "Installing the dependencies of the project and its tests (once) ..."
	@$(PIP) -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-bench: $(VENV)/.installed-dev
	@echo "Installing the tools that the benchmarks compare with (once) ..."
	@$(PIP) -c constraints.txt -e '.[bench,dev]' && touch $@ || \
	  echo "The installation failed; the benchmarks run without the comparison." >&2
