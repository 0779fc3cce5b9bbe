# Two commands matter: `make reproduce` and `make test`. Both set up .venv first; `make help` lists the rest.

VENV ?= .venv
PRESET ?= quick
WORKDIR ?= runs/gaussian_rdp/$(PRESET)
FIGURES ?= runs/figures
MINUTES ?= 12
OUT ?= runs/gpu
DOCS ?= build/docs
THREADS ?= 1
TORCH_INDEX ?=
COOLCHIC ?=
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
DOCS_READY := $(VENV)/.ready-docs
PEERS := .venv-peers

.DEFAULT_GOAL := help
.PHONY: help setup reproduce check test lint docs bench bench-peers gpu stress clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | awk -F '\t' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(READY) ## make .venv and install everything (done by the others when needed)

$(READY): setup.cfg pyproject.toml constraints.txt .ci/setup
	@sh .ci/setup $(VENV)

reproduce: $(READY) ## train the codecs of the main experiment, draw its figures (PRESET=smoke|quick|full)
	@$(PY) -m experiments.sources.gaussian_rdp --preset=$(PRESET) --workdir=$(WORKDIR)
	@$(PY) -m paper_figures.gaussian_rdp --table=$(WORKDIR)/points.csv --out=$(FIGURES)

check: lint ## lint, types, the guards of the layout and the fast tests: a few minutes
	@$(PY) -m pytest -q -n 2 --dist loadfile -m "not stress" --fast

test: lint ## lint, types and the whole test suite
	@$(PY) -m pytest -q -n 2 --dist loadfile -m "not stress"

lint: $(READY) ## check style, import order and types
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/pyrefly check --python-interpreter-path $(PY) --min-severity error --output-format min-text --summary=none

docs: $(DOCS_READY) ## build the documentation site, run its examples, check its links (DOCS=build/docs)
	@$(PY) -m docs.site.build --out=$(DOCS)

$(DOCS_READY): $(READY)
	@sh .ci/setup $(VENV) docs

bench: $(READY) ## measure speed and memory (recorded figures: benchmarks/*.md)
	@for file in $(filter-out $(addprefix benchmarks/,gpu.py cross_device.py peers.py peer_calls.py peer_training.py),$(wildcard benchmarks/*.py)); do echo "== $$file"; $(PY) -m benchmarks.$$(basename $$file .py) || exit 1; done

bench-peers: $(READY) ## speed beside other projects, in environments of their own (COOLCHIC=PATH TORCH_INDEX=URL THREADS=1)
	@for peer in "ott ott-jax POT" "cvvdp cvvdp==0.5.7" "solvers dit==2.3 constriction cvxpy clarabel" \
	  "torch torch torchvision compressai pytorch-msssim piq lpips torch-fidelity $(if $(COOLCHIC),einops fvcore)"; do \
	  set -- $$peer; name=$$1; shift; test -x $(PEERS)/$$name/bin/python || $(PY) -m venv $(PEERS)/$$name; \
	  $(PEERS)/$$name/bin/python -m pip install -q --disable-pip-version-check \
	    $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) "$$@" || \
	    for one; do $(PEERS)/$$name/bin/python -m pip install -q --disable-pip-version-check "$$one" || \
	      echo "$$one cannot be installed here: it is left out"; done; done
	@COOLCHIC=$(COOLCHIC) $(PY) -m benchmarks.peers --peers=$(PEERS) --threads=$(THREADS)
	@$(PY) -m benchmarks.cvvdp --peer_python=$(PEERS)/cvvdp/bin/python --threads=$(THREADS)

gpu: $(READY) ## what a GPU is needed for, within MINUTES=12 (OUT=runs/gpu IMAGES=FOLDER TRAIN=FOLDER); goes on when run again
	@$(PY) -m benchmarks.gpu --preset=$(if $(filter smoke,$(PRESET)),smoke,full) --workdir=$(OUT) --minutes=$(MINUTES) \
	  $(if $(IMAGES),--images=$(IMAGES)) $(if $(TRAIN),--training_images=$(TRAIN))

stress: $(READY) ## the long runs: thousands of mutations, many interruptions
	@JAX_DISABLE_MOST_OPTIMIZATIONS=0 XLA_FLAGS= $(PY) -m pytest -q -m stress

clean: ## remove the environment and all results of runs
	rm -rf $(VENV) $(VENV).log $(PEERS) runs build dist *.egg-info .pytest_cache .ruff_cache
