# `make help` lists the targets. Their variables:
#   dataset   VIDEOS=folder OUT=folder CONFIG=file CAPTIONER=.. WRITER=.. EPISODES=100 ARGS=..
#   review    OUT=folder ARGS=..
#   train     OUT=folder PRESET=tiny RUN=folder ARGS=..
#   generate  RUN=folder ARGS=..
#   bench     OUT=folder RUN=folder BENCH=folder ARGS=..
# `dataset` installs 1.3 GB without PyTorch; local models (transformers:), `train`, `generate` and `bench`
# 7.4 GB. LIGHT=1 makes `install`, `test` and `lint` do without PyTorch.

PYTHON ?= python3
VENV ?= .venv
OUT ?= data/dataset
PY := $(VENV)/bin/python
RUN ?= data/run
PRESET ?= tiny
EPISODES ?= 4
BENCH ?= bench
IMAGE ?= storystream

# One process per core, at most four: each takes 2 GB.
PYTEST := $(PY) -m pytest -n logical --maxprocesses 4 --dist worksteal

# Layers of the installation, with a stamp file each. Every lock file is complete: requirements.lock
# has the packages for datasets with the embedded models or model servers, buckets and runners; -models
# adds those for local models, training, generation and benchmarks; -dev adds those for tests and
# checks to the first.
BASE_INSTALLED := $(VENV)/installed-base
MODELS_INSTALLED := $(VENV)/installed-models
DEV_INSTALLED := $(VENV)/installed-dev
DATASET_INSTALLED := $(if $(findstring transformers:,$(CAPTIONER)$(WRITER)),$(MODELS_INSTALLED),$(BASE_INSTALLED))

.PHONY: help dataset sample review train generate bench bench-cpu test test-fast lint install image lock clean
.NOTPARALLEL:  # one pip at a time

help:  ## print this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1	\2/p' Makefile | while read -r name text; do \
	  printf 'make %-9s %s\n' "$$name" "$$text"; done

dataset: $(DATASET_INSTALLED) $(if $(VIDEOS),,sample)  ## make a dataset of VIDEOS, else of the sample cartoon
	@$(PY) -m pipeline dataset --videos $(if $(VIDEOS),"$(VIDEOS)",data/sample) --out "$(OUT)" \
	  $(if $(CONFIG),--config "$(CONFIG)") $(if $(CAPTIONER),--captioner "$(CAPTIONER)") \
	  $(if $(WRITER),--writer "$(WRITER)") $(ARGS)

sample: $(BASE_INSTALLED)  ## draw the sample cartoon in data/sample
	@$(PY) -m pipeline sample data/sample --episodes $(EPISODES)

review: $(DEV_INSTALLED)  ## open pages to curate the dataset by hand
	@$(PY) -m pipeline review "$(OUT)" $(ARGS)

train: $(MODELS_INSTALLED)  ## train the story model on the dataset
	@$(PY) -m model train $(PRESET) --data "$(OUT)" --run "$(RUN)" $(ARGS)

generate: $(MODELS_INSTALLED)  ## generate a story with the trained model
	@$(PY) -m model generate --run "$(RUN)" $(ARGS)

bench: $(MODELS_INSTALLED)  ## measure the dataset, the model and their speed, for one report
	@$(PY) -m benchmarks all --run "$(RUN)" --data "$(OUT)" --out "$(BENCH)" $(ARGS)

bench-cpu: $(MODELS_INSTALLED)  ## measure how much slower this CPU is with AVX2 only
	@$(PY) -m benchmarks cpu $(ARGS)

test: install  ## run the tests
	$(PYTEST) --durations 25

test-fast: install  ## run the tests that are not slow
	$(PYTEST) -m "not slow"

lint: install  ## check style, types and the imports between packages
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache

install: $(DEV_INSTALLED) $(if $(LIGHT),,$(MODELS_INSTALLED))  ## install everything into .venv

$(BASE_INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(call install,$<)
	$(PY) -m pip install --disable-pip-version-check -q --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/installed-%: requirements-%.lock $(BASE_INSTALLED)
	$(call install,$<)
	touch $@

# Without dependencies, as the lock files have them all; tools/excluded.py tells pip check which ones
# they leave out. On Python 3.13 rapidocr-onnxruntime works, although its metadata excludes it.
define install
$(PY) -m pip install --disable-pip-version-check --progress-bar off -q --no-deps \
  --ignore-requires-python -r $(1)
$(PY) tools/excluded.py
endef

# MODELS=1 adds the packages of local models.
image:  ## build the container of workers in a cluster (docs/runners.md)
	docker build -t $(IMAGE) --build-arg BEAM=$(shell sed -n 's/^apache-beam==//p' requirements.lock) \
	  --build-arg LOCK=requirements$(if $(MODELS),-models).lock .

# For Linux, macOS and every Python that pyproject.toml allows. uv uses the package index named by
# UV_DEFAULT_INDEX, by default PyPI.
COMPILE = $(VENV)-lock/bin/uv pip compile pyproject.toml -q --universal --python-version 3.11 \
  --fork-strategy fewest --no-annotate --custom-compile-command "make lock" \
  $(if $(UPGRADE),--upgrade) --group build --extra dask --extra dataflow --extra speech
lock:  ## write the lock files after a change of pyproject.toml; UPGRADE=1 takes the newest versions
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install --disable-pip-version-check -q uv
	$(COMPILE) -o requirements.lock
	$(COMPILE) --extra bench -c requirements.lock -o requirements-models.lock
	$(COMPILE) --extra dev -c requirements-models.lock -o requirements-dev.lock

clean:  ## remove the environment and the report of the benchmarks
	rm -rf $(VENV) $(VENV)-lock bench
