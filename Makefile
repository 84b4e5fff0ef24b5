# `make run` serves the exporter (on the built-in demo account when no credentials are set), `make test` runs the tests.
# Both make their own virtual environment from the locked requirements first; nothing else is needed but Python 3.11 or newer.

PYTHON ?= python3
VENV   ?= .venv
PY     := $(VENV)/bin/python
ARGS   ?=
# Many tests wait for other processes more than they compute: there are more of them at a time than a usual machine has cores.
PYTEST_ARGS ?= --numprocesses=6

# Tests start hundreds of processes, each of which would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
PIP := $(PY) -m pip --disable-pip-version-check
# The lock is complete (tests/test_dependencies.py), so nothing is resolved; pip check compares what is then there.
INSTALL := $(PIP) install --quiet --no-deps --require-hashes
INSTALL_EXPORTER := $(PIP) install --quiet --no-deps --no-build-isolation --editable .
CHECK := $(PIP) check || { echo "the packages in $(VENV) do not fit together: make clean, then try again" >&2; exit 1; }
LOCK := --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -q
LOCK_ARGS ?=
.PHONY: help run test test-lowest lint format bench generate lock clean system-packages

help:
	@echo "make run       serve the exporter on http://localhost:10056 (ARGS='--config.file=config.yaml' for your account)"
	@echo "make test      lint and run all tests (PYTEST_ARGS='-k name' for a few)"
	@echo "make lint      ruff, mypy, import-linter and yamllint alone"
	@echo "make bench     print memory, start-up time and scrape figures"
	@echo "make generate  write the generated files again (docs, dashboards, Helm chart)"
	@echo "make lock      resolve the requirements anew (needs uv)"
	@echo "make test-lowest  run most tests on the lowest versions that pyproject.toml allows (needs uv)"

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: set PYTHON=/path/to/python3.11 (this is $$($(PYTHON) --version 2>&1))" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed: on Debian and Ubuntu, apt-get install python3-venv" >&2; rm -rf $(VENV); exit 1; }
	@touch $@

$(VENV)/.run: requirements/run.txt requirements/build.txt pyproject.toml $(VENV)/.made
	$(INSTALL) -r requirements/run.txt -r requirements/build.txt
	$(INSTALL_EXPORTER)
	@$(CHECK)
	@touch $@

$(VENV)/.dev: requirements/dev.txt requirements/run.txt pyproject.toml $(VENV)/.made
	$(INSTALL) -r requirements/dev.txt
	$(INSTALL_EXPORTER)
	@$(CHECK)
	@touch $@ $(VENV)/.run

# The demo, unless a file or the environment names an account.
NAMED := $(findstring --config.file,$(ARGS))$$FLATFILE_CLIENT_ID$$FLATFILE_CLIENT_ID_FILE
run: $(VENV)/.run
	@case "$(NAMED)$$FLATFILE_ACCESS_TOKEN$$FLATFILE_ACCESS_TOKEN_FILE" in \
	  "") exec $(VENV)/bin/flatfile-exporter demo $(ARGS) ;; \
	  *) exec $(VENV)/bin/flatfile-exporter serve $(ARGS) ;; \
	esac

system-packages:
	@sh tests/system-packages.sh

test: $(VENV)/.dev system-packages lint
	$(PY) -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/yamllint --strict .

format: $(VENV)/.dev
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: $(VENV)/.dev
	$(PY) -m bench

generate: $(VENV)/.dev
	$(PY) -m docs.build.configuration > docs/configuration.md
	$(PY) -m docs.build.metrics > docs/metrics.md
	$(PY) -m grafana.build
	$(PY) -m grafana.alerts.build
	$(PY) -m deploy.helm.build

lock:
	uv pip compile pyproject.toml $(LOCK) $(LOCK_ARGS) -o requirements/run.txt
	uv pip compile --group build $(LOCK) $(LOCK_ARGS) -o requirements/build.txt
	uv pip compile pyproject.toml --group dev $(LOCK) $(LOCK_ARGS) -o requirements/dev.txt

# The lowest versions that pyproject.toml allows of what the exporter needs directly, with the newest tools of the tests.
LOWEST ?= .lowest
LOWEST_TESTS ?= tests --ignore=tests/grafana --ignore=tests/helm --ignore=tests/image --ignore=tests/matrix --ignore=tests/systemd --ignore=tests/github --ignore=tests/test_dependencies.py --ignore=tests/test_design.py
test-lowest:
	uv venv --quiet --clear --python $(PYTHON) $(LOWEST)
	uv pip compile pyproject.toml --python $(LOWEST) --resolution lowest-direct --no-header --no-annotate -o $(LOWEST)/run.txt
	uv pip compile pyproject.toml --python $(LOWEST) --group test --group grafana -c $(LOWEST)/run.txt -q -o $(LOWEST)/test.txt
	uv pip install --quiet --python $(LOWEST) -r $(LOWEST)/test.txt
	$(LOWEST)/bin/python -m pytest $(PYTEST_ARGS) -p no:cacheprovider $(LOWEST_TESTS)

clean:
	rm -rf $(VENV) $(LOWEST) .pytest_cache .hypothesis .mypy_cache .ruff_cache
