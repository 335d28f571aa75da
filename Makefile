# Every target sets up what it needs by itself and does nothing twice.

DATASET ?= sample
ROOT ?= data/$(DATASET)
KIND ?= ssim
PYTHON ?= python3
# more options for forgery-prep, such as ARGS="--limit 10 --recipe wavelet"
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup preprocess labels test check clean

help: ## Say what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'
	@echo "  variables: DATASET=$(DATASET) ROOT=$(ROOT) KIND=$(KIND) ARGS=$(ARGS)"

setup: $(READY) ## Make the virtual environment with the locked packages

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 2; }
	@echo "Setting up $(VENV) (a few minutes, once) ..."
	@$(PYTHON) -m venv --clear $(VENV) || { echo "python3 -m venv does not work here; on Debian: apt install python3-venv"; exit 2; }
	@awk '/^[^ ]/ {wanted = /^uv==/} wanted' requirements.lock > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

preprocess: $(READY) ## DATASET (default: the embedded sample) -> stores/DATASET.zarr
ifeq ($(DATASET),sample)
	@$(BIN)/forgery-prep sample --root $(ROOT)
endif
	@$(BIN)/forgery-prep run --dataset $(DATASET) --root $(ROOT) $(ARGS)

labels: $(READY) ## Compute one label KIND of stores/DATASET.zarr again
	@$(BIN)/forgery-prep labels --dataset $(DATASET) --root $(ROOT) --kind $(KIND) $(ARGS)

test: $(READY) ## Run the whole test suite
	@$(BIN)/python -m pytest

check: $(READY) ## Lint, types and import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

clean: ## Delete the environment and every cache; data, stores and runs stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find pipeline models cli tests -name __pycache__ -type d -exec rm -rf {} +
