# The environment is made by the first target that needs it.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
READY := $(VENV)/.ready
INSTALL := --quiet -c constraints.txt -e '.[dev]'
# uv, where it is on the PATH, takes seconds for what takes pip minutes; pip goes on where uv can't, as behind pip's own mirror.
WITH_UV = uv venv --quiet --allow-existing --python "$$(command -v $(PYTHON))" $(VENV) && uv pip install --python $(RUN)/python $(INSTALL)
WITH_PIP = $(PYTHON) -m venv $(VENV) && $(RUN)/python -m pip install --disable-pip-version-check $(INSTALL)

.DEFAULT_GOAL := help
.PHONY: help finetune test test-all conformance compat gpu check format docs release clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s'|'

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "hf_xfmr needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..."; exit 2; }
	@if command -v uv >/dev/null && $(WITH_UV); then :; else $(WITH_PIP); fi
	@touch $@

finetune: $(READY)  ## fine-tune BERT on real movie reviews: accuracy, report, a checkpoint that loads
	$(RUN)/python recipes/classify_bert.py recipes/configs/classify_bert/movie-reviews.yaml $(ARGS)

# One process a core, each with one thread: no two fight over a core.
PYTEST := OMP_NUM_THREADS=1 $(RUN)/python -m pytest -n auto --dist loadfile

test: $(READY)  ## the test suite, under 15 minutes on 2 cores
	$(PYTEST) $(ARGS)

test-all: $(READY)  ## everything, the slow tests too
	$(PYTEST) -m 'not gpu and not network' $(ARGS)

conformance: $(READY)  ## transformers' own tests, on stock's classes and on ours, side by side
	$(RUN)/python tests/conformance $(ARGS)

compat: $(READY)  ## the oldest and the newest set of libraries, each in a fresh environment: a table
	$(RUN)/python tests/compat $(ARGS)

gpu: $(READY)  ## on one GPU, in eight minutes: do numbers hold, how fast, how much memory; a table and runs/bench/gpu.json
	$(RUN)/python -m hf_xfmr bench gpu $(ARGS)

check: $(READY)  ## formatting, lint, types, and that imports run down only
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/mypy
	$(RUN)/lint-imports

format: $(READY)  ## format the code and sort the imports
	$(RUN)/ruff format .
	$(RUN)/ruff check --fix .

docs: $(READY)  ## the pages of docs/ as a site in docs/_build/html, warnings as errors
	$(RUN)/python -m sphinx -W --keep-going -q -j 1 -b html docs docs/_build/html $(ARGS)
	@echo "docs/_build/html/index.html"

release: $(READY)  ## wheel and sdist into dist/, their metadata checked, the wheel installed and called elsewhere; uploads nothing
	rm -rf dist && $(RUN)/python -m build --outdir dist
	$(RUN)/twine check --strict dist/*
	rm -rf dist/.installed && $(PYTHON) -m venv dist/.installed
	dist/.installed/bin/pip install --quiet --disable-pip-version-check -c constraints.txt dist/*.whl
	cd dist && .installed/bin/python -c 'import hf_xfmr; print(hf_xfmr.__version__)' && .installed/bin/hf_xfmr configs && .installed/bin/hf_xfmr env
	rm -rf dist/.installed

clean:  ## remove the environment, caches and runs
	rm -rf $(VENV) .compat runs docs/_build dist .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
