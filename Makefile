# The commands of this project. `make` lists them.
#
# They run in $(VENV), which is made on first use, updated when pyproject.toml has changed, and
# remade for another version of Python: make test PYTHON=python3.13

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first one that is new enough. Each is run, since a pyenv shim can be on the PATH and not work.
SUPPORTED := -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
ifndef PYTHON
PYTHON := $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$python $(SUPPORTED); then echo $$python; break; fi; done)
endif
VERSION := $(shell "$(PYTHON)" -c 'import platform; print(platform.python_version())' 2>/dev/null)

# Not read from the caller's environment, where another tool may use the name, since it is cleared.
VENV := .venv
# Another checkout on it would be tested instead of this one.
unexport PYTHONPATH
# Without bytecode, every process that a test starts would compile the sources again.
unexport PYTHONDONTWRITEBYTECODE
BIN = $(VENV)/bin
# Half of the time of a test is waiting: for a server, for a process, for time to pass.
ifndef PYTEST_XDIST_AUTO_NUM_WORKERS
export PYTEST_XDIST_AUTO_NUM_WORKERS := $(shell "$(PYTHON)" -c 'import os; print(max(4, os.cpu_count() or 1))' 2>/dev/null)
endif
XDIST = --numprocesses=auto --dist=loadfile
# A test that hangs ends its process and the run, and says where.
BOUNDED = -o faulthandler_exit_on_timeout=true --max-worker-restart=0
UNBOUNDED = -o faulthandler_timeout=0
# These tests cover the kernel. Only they are traced, since tracing slows them down.
KERNEL := core tests/core tests/adapters/memory tests/adapters/cattrs
PIP = $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: help
help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: $(VENV)/.runtime  ## run the bank example in memory
	$(BIN)/python -m examples.bank

.PHONY: test
test: $(VENV)/.extra-dev chromium  ## run all tests; fail below full branch coverage of the kernel
	@rm -f .coverage*
	$(BIN)/python -m coverage run -m pytest $(XDIST) $(BOUNDED) --quiet $(KERNEL)
	@$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report
	$(BIN)/python -m pytest $(XDIST) $(BOUNDED) --quiet $(KERNEL:%=--ignore=%)

.PHONY: check
check: $(VENV)/.extra-check  ## run every static check: ruff, mypy, basedpyright, import-linter
	@$(MAKE) --keep-going --jobs=2 --output-sync=target lint formatting mypy basedpyright imports

.PHONY: format
format: $(VENV)/.extra-check  ## format the code and fix what ruff can fix
	$(BIN)/python -m ruff check --fix-only
	$(BIN)/python -m ruff format

.PHONY: build
build: $(VENV)/.extra-dev  ## build the sdist and the wheel into dist/
	$(BIN)/python -m build

.PHONY: bench
bench: $(VENV)/.extra-bench  ## measure side by side with others; write benchmarks/results.json and charts
	$(BIN)/python -m benchmarks --write

.PHONY: bench-check
bench-check: $(VENV)/.extra-bench  ## measure again; fail if a ratio is worse by more than a quarter
	$(BIN)/python -m benchmarks --check

.PHONY: soak
soak: $(VENV)/.extra-dev  ## break real servers and fuzz for an hour; EVENTHUS_SOAK=N is N times as long
	EVENTHUS_SOAK=$(or $(EVENTHUS_SOAK),10) EVENTHUS_REQUIRE_SERVERS=1 \
		$(BIN)/python -m pytest $(UNBOUNDED) tests/adapters/mongo/faults tests/adapters/nats/faults -s
	EVENTHUS_SOAK=1 EVENTHUS_REQUIRE_SERVERS=1 EVENTHUS_FUZZ_INPUTS=$(or $(EVENTHUS_FUZZ_INPUTS),1000000) \
		$(BIN)/python -m pytest $(XDIST) $(UNBOUNDED) --show-capture=no tests/fuzz

.PHONY: compat
compat: $(VENV)/.extra-dev oldest-nats  ## test what can differ on other Pythons, with the lowest versions, and in the wheel
	$(BIN)/python tools/matrix.py --compat

.PHONY: matrix
matrix: $(VENV)/.extra-dev  ## test on every Python found, on the lowest versions, and the wheel
	$(BIN)/python tools/matrix.py

.PHONY: lowest
lowest: .venv-lowest.txt  ## test with the lowest versions that pyproject.toml admits
	@$(MAKE) VENV=.venv-lowest CONSTRAINTS=.venv-lowest.txt TESTS='$(TESTS)' pytest
	.venv-lowest/bin/python -m mypy core adapters testing examples

.PHONY: wheel-test
wheel-test: $(VENV)/.extra-dev  ## test the wheel, installed without the source tree
	$(BIN)/python tools/wheel_test.py $(TESTS)

.PHONY: clean
clean:  ## remove environments, caches and build results
	rm -rf .venv* .*_cache .coverage* .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Debian's nats-server is the oldest that is supported. The step is skipped where it is missing and
# cannot be installed, unless EVENTHUS_REQUIRE_SERVERS is 1.
OLDEST_NATS := /usr/sbin/nats-server
APT = [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update --quiet=2 && \
	DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends
.PHONY: oldest-nats
oldest-nats: $(VENV)/.extra-dev  ## run the bus conformance suite on the oldest nats-server
	@[ -x $(OLDEST_NATS) ] || { $(APT) nats-server >/dev/null; } || true
	@if [ -x $(OLDEST_NATS) ] || [ "$$EVENTHUS_REQUIRE_SERVERS" = 1 ]; then \
		EVENTHUS_NATS_SERVER=$(OLDEST_NATS) $(BIN)/python -m pytest --quiet tests/adapters/nats/test_conformance.py; \
	else echo "skipped: there is no $(OLDEST_NATS)"; fi

# A browser for the tests of reports and of the console, where it may be installed.
.PHONY: chromium
chromium:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { \
		$(APT) chromium >/dev/null; } || true

# The single steps of the above.
.PHONY: pytest lint formatting mypy basedpyright imports
pytest: $(VENV)/.extra-dev
	$(BIN)/python -m pytest $(XDIST) --quiet $(TESTS)
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

# Environments. Stamps record what was installed, and for which Python.
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
