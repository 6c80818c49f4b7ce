# Footage Desk. `make help` lists what there is. Needs Python 3.11 to 3.13; everything else goes into .venv/.

PYTHON ?= python3
BIN := .venv/bin
SEED ?= 1
PROMTOOL ?= $(firstword $(shell command -v promtool) $(wildcard $(HOME)/.cache/footage-desk-tools/bin/promtool))
CHECK_LOG := $(or $(FOOTAGE_DESK_TOOLS),$(HOME)/.cache/footage-desk-tools)/bin/check-log
.DEFAULT_GOAL := help
.PHONY: help setup setup-test run demo test test-alone test-together lint rules-test bpmn-lint chart-test chart-docs chart-golden \
	recorder-docs chaos test-zeebe clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

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

setup-test: .venv/.tested deploy/bpmn/node_modules/.package-lock.json tests/provider/node_modules/.package-lock.json $(CHECK_LOG)

.venv/.tested: .venv/.installed requirements-test.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-test.lock
	@touch $@

deploy/bpmn/node_modules/.package-lock.json: deploy/bpmn/package-lock.json
	@command -v npm >/dev/null || \
		{ echo "The BPMN checks need Node 20 or newer with npm. Install it with: sudo apt-get install -y nodejs npm"; exit 1; }
	cd deploy/bpmn && npm ci --silent --no-audit --no-fund

tests/provider/node_modules/.package-lock.json: tests/provider/package-lock.json
	cd tests/provider && npm ci --silent --no-audit --no-fund

# The second implementation of the audit trail's log; without Go its test is skipped.
$(CHECK_LOG): tests/second/log/main.go tests/second/log/go.mod tests/second/log/go.sum
	@if command -v go >/dev/null; then cd tests/second/log && GOFLAGS=-mod=readonly go build -o $@ .; \
		else echo "Go is not there: the test that compares the audit trail with Go's own log is skipped."; fi

run: setup ## run everything on this machine with demo data, and print address and accounts
	@$(BIN)/footage-desk run --demo --cases

demo: setup ## take one application through every step, with no person
	@$(BIN)/footage-desk demo

test: setup-test lint bpmn-lint rules-test ## run every check and every test; starts PostgreSQL and an S3 server by itself
	@for tool in age openssl unzip; do command -v $$tool >/dev/null || \
		{ echo "The tests compare with the $$tool command. Install it with: sudo apt-get install -y $$tool"; exit 1; }; done
	@[ -e /usr/bin/chromium ] || \
		{ echo "The pages are tested in Debian's Chromium. Install it with: sudo apt-get install -y chromium fonts-wqy-microhei"; exit 1; }
	@echo "Two halves of the tests run side by side; each is shown when it has ended, after 20 to 40 minutes on two cores."
	@$(MAKE) --no-print-directory -j2 --output-sync=target test-alone test-together

test-alone:
	$(BIN)/pytest tests/browser tests/contract tests/unit

test-together:
	$(BIN)/pytest --ignore=tests/browser --ignore=tests/contract --ignore=tests/unit

lint: setup-test ## ruff, strict types, who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bpmn-lint: setup-test ## lint and format check of models, review stages and element templates
	$(BIN)/footage-desk bpmn lint && $(BIN)/footage-desk bpmn format --check && $(BIN)/footage-desk bpmn templates --check

chart-test: setup-test ## lint, unit tests, renders and schemas of the Helm chart; builds helm and its like once, with Go
	$(BIN)/python deploy/chart/check.py

chart-docs: setup-test ## write the chart's README, schema, table of access and copies of alerts and dashboards anew
	$(BIN)/python deploy/chart/access.py
	$(BIN)/python deploy/chart/documents.py

recorder-docs: setup-test ## write the table of wrong answers in docs/recorders.md anew, from the tests' marks
	cd tests/support && $(CURDIR)/$(BIN)/python -m recorders.table

chart-golden: setup-test ## write the chart's golden renders anew
	$(BIN)/python deploy/chart/check.py --update

rules-test: ## check the alerts and show that each fires when it should, and only then
	@test -n "$(PROMTOOL)" || { echo "The alerts are tested by promtool; no Prometheus has to run. Get it with:"; \
		echo "  mkdir -p ~/.cache/footage-desk-tools/bin && apt-get download prometheus"; \
		echo "  dpkg -x prometheus_*.deb ~/.cache/footage-desk-tools/prometheus"; \
		echo "  ln -s ../prometheus/usr/bin/promtool ~/.cache/footage-desk-tools/bin/promtool"; exit 1; }
	@$(PROMTOOL) check config deploy/prometheus/prometheus.yml
	@$(PROMTOOL) test rules deploy/prometheus/tests/*.yaml

chaos: setup-test ## kill the process, then each part of a house apart, at the points of SEED=n (or 1,2,3)
	FOOTAGE_DESK_CHAOS_SEEDS=$(SEED) $(BIN)/pytest tests/process/test_kill_points.py tests/process/test_kill_points_apart.py

test-zeebe: setup-test ## whole cases on the broker at ZEEBE_ADDRESS (clock at ZEEBE_CLOCK), and every golden scenario there and here
	$(BIN)/pytest -m zeebe tests/process

clean: ## remove the environment; what was written under var/ stays
	rm -rf .venv deploy/bpmn/node_modules tests/provider/node_modules .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
