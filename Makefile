# What there is to do here. `make` alone lists it.
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOME_DIR ?= .demo
# Many tests wait for daemons and servers; those of one file stay together, for they share what they start.
SIDE_BY_SIDE := -n 4 --dist loadfile --no-loadscope-reorder
# Where advisories are looked up: the OSV database, or a mirror of it.
ADVISORIES := https://api.osv.dev/v1
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: help install demo dev test test-peers proof long soak audit sbom lint fix fuzz bench lock clean

help: ## List what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "import_project needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.done: requirements/run.txt pyproject.toml | $(BIN)/python
	@echo "installing the dependencies: a minute or two"
	$(PIP) --require-hashes -r requirements/run.txt
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.done: requirements/dev.txt $(VENV)/run.done
	$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

install: $(VENV)/run.done ## Make the virtual environment .venv with the pinned dependencies

demo: $(VENV)/run.done ## Run a whole installation until its files are imported, and prove it (ARGS=--json)
	@$(BIN)/import-project demo --home $(HOME_DIR) $(ARGS)

dev: $(VENV)/run.done ## Open the demo's state in the Dagster UI, sensors running (ARGS="--port 3001")
	@$(BIN)/import-project dev --home $(HOME_DIR) $(ARGS)

test: $(VENV)/dev.done ## Run the tests that need nothing but Python
	$(BIN)/pytest $(SIDE_BY_SIDE)

test-peers: $(VENV)/dev.done ## Run the tests against system packages, and install those first
	sh import_project_tests/install_peers.sh
	$(BIN)/pytest -m peers $(SIDE_BY_SIDE)

lint: $(VENV)/dev.done ## Check style, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config pyproject.toml --no-logo

fix: $(VENV)/dev.done ## Mend what style checks can mend by themselves
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The long tests and the soak take an hour each, and neither takes a whole processor. What failed is in the page too.
proof: $(VENV)/dev.done ## Run the long proofs too (an hour and a half), and write docs/reliability.md from what all reported
	rm -rf .proof
	-$(BIN)/pytest $(SIDE_BY_SIDE) --junitxml=.proof/short.xml
	-$(MAKE) --keep-going --jobs=2 long soak
	$(BIN)/python -m import_project_tests.proof.page .proof/short.xml .proof/long.xml .proof/soak.xml

long: $(VENV)/dev.done ## Run the tests that take minutes: kill loop, outage of six hours, memory of readers, two thousand forks
	$(BIN)/pytest -m "long and not peers" --deselect import_project_tests/proof/test_soak.py --junitxml=.proof/long.xml

soak: $(VENV)/dev.done ## Ten feeds, random faults, an hour (SOAK_SECONDS=3600): memory and descriptors must stay flat
	$(BIN)/pytest -s -m long import_project_tests/proof/test_soak.py --junitxml=.proof/soak.xml

$(VENV)-audit/done: requirements/audit.txt
	$(PYTHON) -m venv $(VENV)-audit
	$(VENV)-audit/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements/audit.txt
	@touch $@

audit: ## Look for known weaknesses in the pinned dependencies (UNREACHABLE=pass: without a network say so, no more)
	@if $(PYTHON) -c 'import urllib.request as web; web.urlopen("$(ADVISORIES)/vulns/PYSEC-2023-74", timeout=10)' 2>/dev/null; then \
	  $(MAKE) --no-print-directory $(VENV)-audit/done && \
	  $(VENV)-audit/bin/pip-audit --vulnerability-service osv --osv-url $(ADVISORIES)/query \
	    --strict --disable-pip --no-deps -r requirements/run.txt; \
	else \
	  echo "NOT AUDITED: $(ADVISORIES) does not answer"; test "$(UNREACHABLE)" = pass; \
	fi

sbom: $(VENV)/run.done $(VENV)-audit/done ## List what the package is made of, as CycloneDX, in sbom.json
	$(VENV)-audit/bin/cyclonedx-py requirements --output-reproducible --output-file sbom.json requirements/run.txt

fuzz: $(VENV)/dev.done ## Damage bank and row files for SECONDS (600) with SEED (0): each must be read soundly or refused
	$(BIN)/python -m import_project_tests.formats.fuzz $(or $(SECONDS),600) $(or $(SEED),0)

$(VENV)-peers/done: benchmarks/peers.txt
	$(PYTHON) -m venv $(VENV)-peers
	$(VENV)-peers/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r benchmarks/peers.txt
	@touch $@

bench: $(VENV)/dev.done $(VENV)-peers/done ## Run the benchmarks (ONLY=name for one); results in benchmarks/results
	$(BIN)/python -m benchmarks $(ONLY)

lock: $(BIN)/python ## Resolve the dependencies anew into requirements/
	$(PIP) uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-strip-extras --no-emit-index-url pyproject.toml --group pyproject.toml:dev --all-extras -o requirements/dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-strip-extras --no-emit-index-url pyproject.toml --group pyproject.toml:build -c requirements/dev.txt \
	  -o requirements/run.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-strip-extras --no-emit-index-url --group pyproject.toml:audit -o requirements/audit.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-strip-extras --no-emit-index-url benchmarks/peers.in -o benchmarks/peers.txt

clean: ## Remove the environment and the demo's state
	rm -rf $(VENV) $(VENV)-peers $(VENV)-audit .demo .proof sbom.json
