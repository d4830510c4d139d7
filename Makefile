# `make` alone lists what there is to do. Every target builds .venv first, from hashed pins.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.built
# Rows of pgbench-like filler per unit; 1 is about 40 MB of database.
SCALE ?= 1
T ?= tests
# `make test` leaves the full suites to their own targets; a path given by T= is run whole.
CHOICE := $(if $(filter tests,$(T)),-m "not full",)
DRILLS := $(sort $(basename $(notdir $(wildcard drills/*.yaml))))
export SCALE

.PHONY: help gameday test test-component test-crash test-crash-drills crash-page test-debian test-defects defects-page test-detection test-editor test-load soak-page check fix bench coverage verify system-deps clean lock $(addprefix drill-,$(DRILLS))

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@for d in $(DRILLS); do printf '  %-22s %s\n' "drill-$$d" "that one drill, in a fresh lab"; done

$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "make: $(PYTHON) is missing or older than 3.11; install Python 3.11 or newer, or say make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "make: $(PYTHON) has no venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python && $(BIN)/python -c '' 2>/dev/null || { rm -rf $(VENV); $(PYTHON) -m venv $(VENV); }
	@echo "building .venv from requirements.lock (once, about 30 s) ..." >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

gameday: $(STAMP) ## the sample game day on the built-in systems: break, restore, measure, sign, verify
	@$(BIN)/fireproof gameday drills/gamedays/quarterly.yaml --profile smoke

$(addprefix drill-,$(DRILLS)): drill-%: $(STAMP)
	@$(BIN)/fireproof run drills/$*.yaml --with-lab

test: $(STAMP) ## the tests (T=path narrows); leaves out: test-component, test-debian, test-crash in full
	@$(BIN)/python -m pytest $(T) -q $(CHOICE)

test-component: $(STAMP) ## every test that starts real servers; the lab and damaged restores in full
	@$(BIN)/python -m pytest $(T) -q -m "component and not crash"

test-crash: $(STAMP) ## kill at every record, by every signal (about half an hour)
	@FIREPROOF_CRASH=all $(BIN)/python -m pytest tests/crash -q -m "not full"

test-crash-drills: $(STAMP) ## kill the shipped drills on a real lab, at random and by name (about two hours)
	@$(BIN)/python -m pytest tests/crash/test_drill_kills.py -q

crash-page: $(STAMP) ## docs/reference/crash.md from the kills on record
	@$(BIN)/python tests/crash/page.py

test-editor: $(STAMP) ## the JSON Schema, asked by yaml-language-server (npm)
	@$(BIN)/python -m pytest tests/component/drills/test_editor.py -q -m editor

test-debian: $(STAMP) ## what needs Debian packages (make system-deps): ssh, pgBackRest, its Postgres
	@$(BIN)/python -m pytest $(T) -q -m debian

test-detection: $(STAMP) ## every known damage to a backup is noticed; writes docs/reference/detection-matrix.md
	@FIREPROOF_DETECTION=all $(BIN)/python -m pytest tests/component/drills/test_detection.py tests/component/drills/test_synchronous.py -q

test-defects: $(STAMP) ## every drill turns red for the right reason (about an hour)
	@$(BIN)/python -m pytest tests/defects -q

defects-page: $(STAMP) ## docs/reference/defects.md from the rows on record
	@PYTHONPATH=tests $(BIN)/python -m support.defects_page

test-load: $(STAMP) ## real load on real servers, the stall of two seconds among it (2 minutes)
	@$(BIN)/python -m pytest tests/component/load tests/component/docs/test_load_page.py -q

check: $(STAMP) ## look: format, lint, types, drill files
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/fireproof check drills

soak-page: $(STAMP) ## docs/reference/soak.md from a verified bundle: make soak-page B=evidence/bundles/...
	@test -n "$(B)" || { echo "make soak-page: say which bundle: make soak-page B=evidence/bundles/<year>/<month>/<run>" >&2; exit 2; }
	@PYTHONPATH=tests $(BIN)/python -m support.soak_page $(B)

fix: $(STAMP) ## repair format and lint where a machine can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(STAMP) ## speed and truth, beside the peers, as ratios; make bench B=help measures one
	@PYTHONPATH=tests $(BIN)/python -m bench $(B)

coverage: $(STAMP) ## docs/reference/checklist.md from a game day: make coverage B=evidence/bundles/...
	@test -n "$(B)" || { echo "make coverage: say which bundle: make coverage B=evidence/bundles/<year>/<month>/<run>" >&2; exit 2; }
	@$(BIN)/fireproof coverage $(B) --write docs/reference/checklist.md

verify: $(STAMP) ## check a bundle: make verify B=evidence/bundles/...
	@test -n "$(B)" || { echo "make verify: say which bundle: make verify B=evidence/bundles/<year>/<month>/<run>" >&2; exit 2; }
	@$(BIN)/fireproof verify $(B)

system-deps: ## the Debian packages that test-debian needs (root); starts nothing
	@sh tests/system-deps.sh

lock: $(STAMP) ## pin again after a change of pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --target .uv uv
	@.uv/bin/uv pip compile --universal --generate-hashes --python-version 3.11 --extra run --extra lab --extra load --extra barman --group dev --no-header --quiet pyproject.toml -o requirements.lock; rm -rf .uv

clean: ## remove what make built; evidence stays
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
