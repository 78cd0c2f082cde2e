# One command for each thing a person does here; `make` alone lists them.
SHELL := /bin/sh
VENV ?= .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help venv demo stop bench check test test-fast system chaos soak lint format types imports docs coverage requirements audit clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(READY) ## the virtual environment, with pinned requirements (made when it is first needed)

$(READY): requirements.txt requirements-dev.txt constraints.txt pyproject.toml tools/make_venv.sh
	@sh tools/make_venv.sh $(VENV) && touch $@

demo: $(READY) ## a simulated night through a real Airflow, left up; or DATA=folder PROFILE=name
	@$(PY) -m tools.demo $(if $(DATA),--data '$(DATA)') $(if $(PROFILE),--profile '$(PROFILE)')

stop: ## end the Airflow that `make demo` left up
	@[ ! -e $(READY) ] || $(PY) -m tools.supervisor stop

test: $(READY) ## every test: of the parts, then of a running Airflow
	@$(PY) -m tools.run_tests fast system

test-fast: $(READY) ## tests that need no running Airflow
	@$(PY) -m tools.run_tests fast

system: $(READY) ## tests that drive a running Airflow
	@$(PY) -m tools.run_tests system

chaos: $(READY) ## faults of every kind, for an hour; SEED=n does the same again
	@SEED=$(SEED) $(PY) -m tools.run_tests chaos

soak: $(READY) ## thirty nights in one process, which must not grow; NIGHTS=n for others
	@NIGHTS=$(NIGHTS) $(PY) -m tools.run_tests soak

bench: $(READY) ## measure beside peers, half an hour; ONLY=part for one; writes bench/RESULTS.md
	@$(PY) -m bench $(if $(ONLY),--only $(ONLY))

check: lint types imports docs ## everything that is checked without running it

lint: $(READY) ## format, rules, spelling and sizes of the code
	@$(PY) -m ruff format --check . && $(PY) -m ruff check .
	@$(PY) -m codespell_lib && $(PY) -m tools.check_sizes

format: $(READY) ## rewrite the code in its one format
	@$(PY) -m ruff check --fix . ; $(PY) -m ruff format .

types: $(READY) ## mypy, strict
	@$(PY) -m mypy && $(PY) -m mypy tools config bench tests/chaos tests/soak

imports: $(READY) ## who may import whom
	@PYTHONPATH=.:plugins $(VENV)/bin/lint-imports

docs: $(READY) ## every path named in the documents exists
	@$(PY) -m tools.check_docs

coverage: $(READY) ## lines and branches that the fast tests reach
	@$(PY) -m tools.run_tests fast --cov --cov-report=term

requirements: $(READY) ## resolve constraints.txt anew from the two requirements files
	@$(PY) -m uv pip compile -q --upgrade --universal --python-version 3.11 --no-annotate \
		--custom-compile-command "make requirements" requirements.txt requirements-dev.txt -o constraints.txt

audit: $(READY) ## compare what is promised with what is there, where CORRAL_HOME says
	@$(VENV)/bin/corral audit

clean: stop ## remove what was made here: environment, demo, caches
	rm -rf .venv .airflow .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis .coverage* *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
