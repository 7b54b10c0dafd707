# Set-up, run, test. Needs Debian, Python 3.11 with venv, make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Many tests wait for servers and processes: more of them at once than there are processors.
JOBS ?= 4
# Tests start many processes: compiled modules are kept wherever that was switched off.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test test-fast lint format bench crds docs lock clean

run: $(STAMP) ## the demo: GitHub push to CI Workflow, notification, calendar tick
	$(BIN)/events demo

test: $(STAMP) ## everything; REQUIRE_SERVERS=1 turns missing servers into failures
	$(BIN)/python -m events.testing.servers
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(if $(REQUIRE_SERVERS),--require-servers)

test-fast: $(STAMP) ## rules and contracts only: no servers, no processes
	$(BIN)/python -m pytest -n auto -m "not servers and not e2e" tests/unit tests/compat tests/contract tests/docs

lint: $(STAMP) ## style, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## prints ratios measured in one run; see benchmarks/README.md
	$(BIN)/python -m benchmarks

crds: $(STAMP) ## crds/ from the models
	$(BIN)/python -m events.manifest.crds

docs: $(STAMP) ## docs/reference/ from the models and docstrings
	$(BIN)/python -m events.manifest.reference

lock: ## newest versions into constraints.txt
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet -e '.[dev]'
	$(BIN)/pip freeze --exclude-editable --exclude events-trigger | grep -v '^#' > constraints.txt
	touch $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(STAMP)

clean:
	rm -rf $(VENV) .events .events-demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
