# Needs only Python 3.11+, git and make. Every target creates .venv from the lock file first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# Where this is set, each of the many processes would compile every library that it imports.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help install demo up test check proof bench lock format clean

help: ## Show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

$(VENV)/.installed: requirements.lock bootstrap.lock pyproject.toml
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes --no-deps -r bootstrap.lock
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

install: $(VENV)/.installed ## Create .venv with the locked dependencies

demo: install ## Run the support copilot end to end (ARGS="--yes --json" runs it unattended)
	@$(BIN)/python -m demo $(ARGS)

up: install ## Run the shop, Temporal, its web UI and a worker, until Ctrl-C
	@$(BIN)/python -m demo.up $(ARGS)

# Three processes on two cores: much of a crash test is waiting for a dead worker to be missed.
test: install ## Run the test suite
	@$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(ARGS)

check: install ## Format, lint, types and import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

proof: install ## Run the heavy proofs whole, write docs/proof/ and draw their plots
	@$(BIN)/python -m pytest -p tests.proofs -m proof --verbose $(ARGS)

bench: install ## Measure (ARGS="--quick --json" for one JSON object)
	@$(BIN)/python -m bench $(ARGS)

format: install ## Format and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: ## Write the lock files anew (names, versions and hashes only)
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check "uv>=0.9"
	@$(BIN)/uv pip compile pyproject.toml --group dev --group bench --all-extras --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --quiet -o requirements.lock
	@echo "uv>=0.9" | $(BIN)/uv pip compile - --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --quiet -o bootstrap.lock

clean: ## Remove .venv and local state
	rm -rf $(VENV) .interlock .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
