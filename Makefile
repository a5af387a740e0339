# `make mine` shows the whole loop; `make test` checks everything. Both set up .venv first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Every install keeps to these: left alone, another package would pull in a newer torch with gigabytes of CUDA.
export PIP_CONSTRAINT := $(CURDIR)/requirements/constraints.txt

LOCK := $(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --upgrade

.PHONY: mine dev test test-slow faults lint types layers unit bench agreement figures lock clean clean-runs contract validator review-pictures

mine: $(VENV)/core.stamp
	$(BIN)/triptych mine recipes/quickstart.yaml

$(VENV)/core.stamp: requirements/core.txt requirements/build.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "triptych needs Python 3.11 or newer: make mine PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --requirement requirements/core.txt --requirement requirements/build.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/dev.stamp: $(VENV)/core.stamp requirements/dev.txt requirements/gpu.txt requirements/constraints.txt scripts/system_parts.sh
	$(PIP) install --requirement requirements/dev.txt --requirement requirements/gpu.txt
	sh scripts/system_parts.sh
	touch $@

dev: $(VENV)/dev.stamp

test: lint types layers unit

lint: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: dev
	$(BIN)/mypy

layers: dev
	$(BIN)/lint-imports

unit: dev
	$(BIN)/python -m pytest -n 2 -m "not slow"

# The suites that take long: statistics over many pictures, the whole quickstart.
test-slow: dev
	$(BIN)/python -m pytest -m slow

# Kills, failing roles, hurt pictures, jumping clocks: how many of each kind, and how many runs survived them.
FAULTS ?= 25

faults: dev
	TRIPTYCH_FAULTS=$(FAULTS) $(BIN)/python -m pytest -q -s tests/faults

# Chat back ends against a server that none of us wrote; SERVER=… MODEL=… for one that is up (tests/README.md).
contract: dev
	SERVER="$(SERVER)" MODEL="$(MODEL)" sh scripts/contract.sh

bench: dev
	$(BIN)/python benchmarks/loop.py
	$(BIN)/python benchmarks/overhead.py

# Rewrites docs/agreement.md from ImagenHub's ratings.
RATINGS ?= ../shared/data/ratings/imagenhub.jsonl

agreement: dev
	$(BIN)/python benchmarks/agreement_page.py $(RATINGS)

# Rewrites docs/validator.md and docs/validator/: the embedded judge on a pool of its own, ten minutes.
validator: dev
	$(BIN)/python -m benchmarks.validator_page

# Rewrites docs/quickstart.md, docs/multiplied.md, docs/published.md and their pictures. PAIRS: real pairs, if there.
PAIRS ?= ../shared/data/triplets

figures: dev mine
	$(BIN)/triptych mine benchmarks/trivial.yaml --out runs/trivial
	$(BIN)/python scripts/quickstart_page.py runs/quickstart
	$(BIN)/python scripts/multiplied_page.py runs/quickstart runs/trivial
	$(BIN)/python scripts/published_page.py runs/quickstart $(wildcard $(PAIRS))

# Rewrites the pictures of the review page from runs/quickstart.
review-pictures: dev mine
	$(BIN)/python scripts/review_pictures.py runs/quickstart

# Refresh the locked versions (needs the network).
lock: dev
	$(LOCK) --output-file requirements/core.txt pyproject.toml
	$(LOCK) --extra dev --constraint requirements/core.txt --output-file requirements/dev.txt pyproject.toml
	$(LOCK) --extra gpu --constraint requirements/core.txt --constraint requirements/dev.txt \
		--unsafe-package torch --unsafe-package torchvision --output-file requirements/gpu.txt pyproject.toml
	$(LOCK) --all-build-deps --only-build-deps --constraint requirements/dev.txt --output-file requirements/build.txt pyproject.toml

clean:
	rm -rf $(VENV) build dist

# Runs may have cost hours: they go only when asked for by name.
clean-runs:
	rm -rf runs
