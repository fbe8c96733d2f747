# `make run` and `make test` work in a fresh clone: they set up .venv first (quick when nothing changed).
SHELL := /bin/sh
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
DATA_DIR ?= .data
WORKERS ?= 3
BASE ?= HEAD~1

BIN := .venv/bin
SETUP := $(PYTHON) scripts/bootstrap
UV = $(firstword $(wildcard .tools/bin/uv) uv)
COMPILE = $(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
	--custom-compile-command "make requirements" $(UPGRADE)

.PHONY: help setup run test chaos check client-types vendor screenshots format bench bench-compare bench-scale bench-page requirements

help:
	@echo "make setup         .venv with all that run, test and check need"
	@echo "make run           start the service, run the example, stay up (PORT=8000 HOST=127.0.0.1 DATA_DIR=.data)"
	@echo "make test          all tests (ARGS='-k name' for some, COVER=1 to measure what they cover)"
	@echo "make chaos         the fault table at a small dose, minutes (DOSE=full for the large one, ROWS=kill,freeze for some)"
	@echo "make check         ruff, pyright, oxlint, import-linter, length of files"
	@echo "make client-types  write the types of the Python client again, from the OpenAPI document"
	@echo "make vendor        fetch the libraries of the page again (app/ui/vendor; needs npm)"
	@echo "make screenshots   take the pictures of the pages in docs/images again (needs chromium)"
	@echo "make format        ruff's fixes and format"
	@echo "make bench         the benchmark, beside LangGraph and DBOS"
	@echo "make bench-compare the engine and the service beside another commit's (BASE=HEAD~1)"
	@echo "make bench-scale   100,000 threads and 1,000,000 events: what they cost, how the service answers on them"
	@echo "make bench-page    the page in a browser: first view, scrolling, bytes (needs chromium)"
	@echo "make requirements  compile requirements/*.txt again (UPGRADE=--upgrade for newer versions)"

setup:
	@$(SETUP) dev

run:
	@$(SETUP) run
	@exec $(BIN)/backstitch demo --serve --host "$(HOST)" --port "$(PORT)" --data-dir "$(DATA_DIR)"

# Each worker imports all tests and all they try: without what Python keeps of that (.pyc), it costs twice the time.
# Coverage is measured on demand, and by CI: before Python 3.12 the engine's tests take more than twice as long with it.
test:
	@$(SETUP) test
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(if $(COVER),--cov --cov-report=term) $(ARGS)

chaos:
	@$(SETUP) test
	@$(BIN)/python -m tests.chaos --dose "$(or $(DOSE),small)" --rows "$(ROWS)"

client-types:
	@$(SETUP) dev
	$(BIN)/python scripts/client_types.py

vendor:
	@$(SETUP) dev
	$(BIN)/python scripts/vendor_ui.py

screenshots:
	@$(SETUP) test
	$(BIN)/python -m tests.browser.screenshots

check:
	@$(SETUP) dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_length.py app
	$(BIN)/oxlint app/ui/js
	$(BIN)/pyright --warnings

format:
	@$(SETUP) dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench:
	@$(SETUP) bench
	$(BIN)/python -m benchmarks $(ARGS)

bench-compare:
	@$(SETUP) test
	$(BIN)/python -m benchmarks.compare --base $(BASE) $(ARGS)

bench-scale:
	@$(SETUP) test
	$(BIN)/python -m benchmarks.scale $(ARGS)

bench-page:
	@$(SETUP) test
	$(BIN)/python -m benchmarks.page $(ARGS)

requirements:
	@$(SETUP) --uv-only
	$(COMPILE) pyproject.toml requirements/build.in -o requirements/run.txt
	$(COMPILE) pyproject.toml requirements/build.in --extra test -c requirements/run.txt -o requirements/test.txt
	$(COMPILE) pyproject.toml requirements/build.in --extra test --extra dev -c requirements/test.txt -o requirements/dev.txt
	$(COMPILE) pyproject.toml requirements/build.in --extra bench -c requirements/run.txt -o requirements/bench.txt
