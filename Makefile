# `make run` starts everything on this machine, `make test` checks everything. Both need only Python 3.11+ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Test files that run at once, each with a stack of its own where it needs one.
TESTERS ?= 3

.PHONY: run test check unit integration e2e e2e-all fix lock screenshots state-pictures measure-roads time-start measure-code rehearse-upgrade check-trainers clean

run: $(READY)
	$(BIN)/brightrun up

test: check unit integration e2e

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/deptry .

# Measures core/domain and core/services; integration tests are not measured, which would double their time.
unit: $(READY)
	$(BIN)/pytest -n $(TESTERS) tests/unit --cov --cov-report=term

# In the order of the files: by default those with the fewest tests come last, and the longest of all has one.
integration: $(READY)
	$(BIN)/pytest -n $(TESTERS) --dist loadfile --no-loadscope-reorder tests/integration tests/pages

e2e: $(READY)
	$(BIN)/pytest -m "not extended" tests/e2e

# One after the other: two browsers and two stacks are too much for two cores.
e2e-all: $(READY)
	$(BIN)/pytest tests/e2e --ignore tests/e2e/test_states.py

fix: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Names and versions only, no addresses: installable from whatever index is configured.
lock: $(BIN)/uv
	$(BIN)/uv pip compile pyproject.toml --extra local --extra tokenizer --extra dev --universal --generate-hashes --python-version 3.11 --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --quiet --upgrade -o requirements.lock

screenshots: $(READY)
	$(BIN)/python -m tests.e2e.screenshots docs/screenshots

# Every page in every state, in four windows, light and dark, into build/states: to look at.
state-pictures: $(READY)
	$(BIN)/pytest tests/e2e/test_states.py

# An analyst's roads in clicks and seconds.
measure-roads: $(READY)
	$(BIN)/python -m tests.e2e.measure_roads

time-start:
	$(PYTHON) tests/measure_start.py

# Lines, files and SQL definitions of two commits side by side.
measure-code:
	$(PYTHON) tests/measure_code.py $(BEFORE) $(AFTER)

# A stack that an older commit made and filled, started with today's code: every page must count the same.
rehearse-upgrade: $(READY)
	$(BIN)/python -m tests.e2e.rehearse_upgrade $(FROM)

# TRL, LLaMA-Factory and Axolotl read an export by its recipes, each in an environment of its own (5 to 6 GB) under build/trainers.
check-trainers: $(READY)
	$(BIN)/python -m tests.trainers.check $(TRAINERS)

clean:
	rm -rf $(VENV)

$(BIN)/uv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Bright Run needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9

# uv is quick; where it cannot reach the index that pip is set up for, pip does the same. Byte-code is made now, not at the
# first start of each command.
$(READY): requirements.lock pyproject.toml $(BIN)/uv
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --compile-bytecode --require-hashes -r requirements.lock \
		|| $(BIN)/python -m pip install --quiet --no-deps --compile --require-hashes -r requirements.lock
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps -e . || $(BIN)/python -m pip install --quiet --no-deps -e .
	$(BIN)/python -m compileall -q core pages Home.py worker.py
	touch $(READY)
