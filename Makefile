# The commands of this project; `make` alone lists them.
#
# They run in $(VENV), which is made on first use, installed into again when pyproject.toml has
# changed, and made anew for another version of Python: make test PYTHON=python3.13

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first that is new enough. Each is run, since a pyenv shim can be on the PATH and not work.
SUPPORTED := -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
ifndef PYTHON
PYTHON := $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$python $(SUPPORTED); then echo $$python; break; fi; done)
endif
VERSION := $(shell "$(PYTHON)" -c 'import platform; print(platform.python_version())' 2>/dev/null)

# Not taken from the caller's environment, where another tool may use the name: it is cleared.
VENV := .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: help
help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: $(VENV)/.runtime  ## run the bank example in memory
	$(BIN)/python -m examples.bank

.PHONY: test
test: $(VENV)/.extra-dev nats-server chromium  ## run all tests; every branch of the kernel must be covered
	$(BIN)/python -m coverage run -m pytest
	$(BIN)/python -m coverage report
	$(BIN)/python -m coverage report --include='core/*' --fail-under=100 --format=total

.PHONY: check
check: $(VENV)/.extra-check  ## run every static check: ruff, mypy, basedpyright, import-linter
	@$(MAKE) --keep-going lint formatting mypy basedpyright imports

.PHONY: format
format: $(VENV)/.extra-check  ## format the code and fix what ruff can fix
	$(BIN)/python -m ruff check --fix-only
	$(BIN)/python -m ruff format

.PHONY: build
build: $(VENV)/.extra-dev  ## build the sdist and the wheel into dist/
	$(BIN)/python -m build

.PHONY: bench
bench: $(VENV)/.extra-bench  ## measure against other libraries, side by side
	$(BIN)/python -m benchmarks

.PHONY: soak
soak: $(VENV)/.extra-dev nats-server  ## break real servers for half an hour; EVENTHUS_SOAK=N is N times as long
	EVENTHUS_SOAK=$(or $(EVENTHUS_SOAK),10) EVENTHUS_REQUIRE_SERVERS=1 \
		$(BIN)/python -m pytest tests/adapters/mongo/faults tests/adapters/nats/faults -s

.PHONY: matrix
matrix: $(VENV)/.extra-dev  ## test on every Python found, on the lowest versions, and the wheel
	$(BIN)/python tools/matrix.py

.PHONY: lowest
lowest: .venv-lowest.txt  ## test with the lowest versions that pyproject.toml admits
	@$(MAKE) VENV=.venv-lowest CONSTRAINTS=.venv-lowest.txt pytest
	.venv-lowest/bin/python -m mypy core adapters testing examples tests

.PHONY: wheel-test
wheel-test: $(VENV)/.extra-dev  ## test the wheel, installed without the source tree
	$(BIN)/python tools/wheel_test.py

.PHONY: clean
clean:  ## remove environments, caches and whatever else was made
	rm -rf .venv* .*_cache .coverage* .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Installs a server for the tests where there is none and it can; else they are skipped, and say so.
.PHONY: nats-server
nats-server:
	@PATH="$$PATH:/usr/sbin:/usr/local/sbin"; command -v nats-server >/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update --quiet=2 && \
		DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends \
			nats-server >/dev/null; } || true

# As above: a browser, to look at the reports.
.PHONY: chromium
chromium:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update --quiet=2 && \
		DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends \
			chromium >/dev/null; } || true

# The single steps of the above.
.PHONY: pytest lint formatting mypy basedpyright imports
pytest: $(VENV)/.extra-dev
	$(BIN)/python -m pytest
lint: $(VENV)/.extra-check
	$(BIN)/python -m ruff check
formatting: $(VENV)/.extra-check
	$(BIN)/python -m ruff format --check
mypy: $(VENV)/.extra-dev
	$(BIN)/python -m mypy
basedpyright: $(VENV)/.extra-check
	$(BIN)/python -m basedpyright --pythonpath $(BIN)/python
imports: $(VENV)/.extra-check
	$(BIN)/lint-imports --no-logo

# Environments. A stamp inside says what was installed and, by its name, for which Python.
$(VENV)/.python-$(VERSION):
	@"$(PYTHON)" $(SUPPORTED) || { \
		echo "eventhus needs Python 3.11 or newer, found: $(or $(strip $(PYTHON) $(VERSION)),none)." >&2; \
		echo "Name one: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "making $(VENV) with Python $(VERSION)"
	@"$(PYTHON)" -m venv --clear $(VENV) || { \
		echo "$(PYTHON) cannot make an environment." >&2; \
		echo "On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@touch $@

$(VENV)/.runtime: pyproject.toml $(VENV)/.python-$(VERSION)
	$(PIP) install --editable .
	@touch $@

$(VENV)/.extra-%: pyproject.toml $(VENV)/.python-$(VERSION)
	$(PIP) install --editable '.[$*]' $(CONSTRAINTS:%=--constraint %)
	@touch $@

.venv-lowest.txt: pyproject.toml tools/lowest.py
	$(PYTHON) tools/lowest.py > $@
