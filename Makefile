# Every target sets up what it needs by itself and does nothing twice.

DATASET ?= sample
ROOT ?= data/$(DATASET)
KIND ?= ssim
PYTHON ?= python3
DETECTOR ?= grnet
# more options for forgery-prep, such as ARGS="--limit 10 --recipe wavelet", or for forgery-train
ARGS ?=

# reduced for a small machine, from random weights (docs/results.md: what that reaches); TRAIN= gives the paper's settings
SMALL_grnet := --epochs 3 --set size=128 --set lr=1e-3
SMALL_bigarts := --epochs 200 --set size=128 --set lr=2e-3 --set period=200 --set validate_every=40 --set blends=live \
	--set augment=paper
SMALL_anticompression := --epochs 3 --set size=96 --set lr=3e-4 --set high=raw
SMALL_locate := --epochs 5 --set size=128 --set lr=5e-4 --set two_steps=off --set validate_every=150
SMALL_wavelet := --epochs 3 --set size=96 --set lr=0.05 --set drops=2 --set balance=even
QUALITY ?= $(if $(filter sample ffpp,$(DATASET)),--set compression=c23)
TRAIN ?= --no-pretrained --batch-size 8 --val-frames 4 --set metric=auc --set augment=off $(QUALITY) $(SMALL_$(DETECTOR))

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup preprocess labels train test test-slow check bench docs lock wheel clean

help: ## Say what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'
	@echo "  variables: DATASET=$(DATASET) ROOT=$(ROOT) KIND=$(KIND) DETECTOR=$(DETECTOR) ARGS=$(ARGS)"

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

train: $(READY) ## Train DETECTOR on stores/DATASET.zarr -> runs/DATASET/DETECTOR, and judge it; again: go on
	@test -e stores/$(DATASET).zarr || $(MAKE) --no-print-directory preprocess ARGS=
	@$(BIN)/forgery-train --store stores/$(DATASET).zarr --detector $(DETECTOR) --out runs/$(DATASET)/$(DETECTOR) \
		--resume $(TRAIN) $(ARGS)
	@$(BIN)/forgery-eval --store stores/$(DATASET).zarr --checkpoint runs/$(DATASET)/$(DETECTOR)/best.ckpt

test: $(READY) ## Run the test suite but for its slow extras; ARGS="tests/test_cli" for a part
	@$(BIN)/python -m pytest -n auto --dist loadfile -m "not slow" $(ARGS)

test-slow: $(READY) ## Run the slow extras: runs killed at every stage, clusters, every command of the pages, the wheel
	@$(BIN)/python -m pytest -n auto --dist loadfile -m slow $(ARGS)

check: $(READY) ## Lint, types and import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(READY) ## Time everything against what one would use instead -> docs/benchmarks.md; ARGS="labels decode" for some
	@test -e stores/sample.zarr || $(MAKE) --no-print-directory preprocess ARGS=
	@$(BIN)/python benchmarks/everything.py stores/sample.zarr $(ARGS)

docs: $(READY) ## Build the pages -> site/index.html
	@$(BIN)/mkdocs build --quiet

lock: $(READY) ## Pin every package again in requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --group dev pyproject.toml \
		-o requirements.lock

wheel: $(READY) ## Build a wheel that works away from the checkout -> dist/
	@$(BIN)/python -m hatchling build -t wheel

clean: ## Delete the environment and every cache; data, stores and runs stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find pipeline models cli tests -name __pycache__ -type d -exec rm -rf {} +
