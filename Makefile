# Each target works from a fresh clone; `make help` explains them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
# What Debian brings: the lab's hosts, the compiler for the one wheel that PyPI has only as source, the browser of the tests.
DEBIAN_PACKAGES := debootstrap systemd-container e2fsprogs iproute2 iptables openssh-client util-linux rsync git git-lfs ca-certificates \
	python3-venv python3-dev gcc pkg-config libmariadb-dev chromium chromium-driver zsh
PYTHON_FOLDERS := src lab bench library module_utils action_plugins filter_plugins callback_plugins inventory_plugins doc_fragments tests molecule \
	roles/watchdog/files roles/airflow_services/files

REPORTS := artifacts/junit
# For the fault tests: how many labs they run on side by side, which part of them (1/4), more options of pytest, what the report
# is called.
LANES := 2
SHARD :=
FAULTS :=
REPORT = faults$(subst /,of,$(SHARD))

# A shell that has activated a lab, perhaps of another checkout, decides nothing here; recipes activate what they need.
unexport ANSIBLE_CONFIG ANSIBLE_INVENTORY ANSIBLE_VAULT_PASSWORD_FILE

.PHONY: help setup lint unit molecule integration test faults soak bench-dags bench-overhead bench-sync demo bundle clean-lab lock docs

help: ## show this help
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 14

setup: $(VENV)/complete ## install what this machine needs: Debian packages and the virtual environment .venv

$(VENV)/complete: requirements.lock pyproject.toml Makefile
	@echo "setup: Debian packages"
	@found=$$(dpkg-query -W -f '$${db:Status-Abbrev}$${Package}\n' $(DEBIAN_PACKAGES) 2>/dev/null | grep -c '^ii' || true); \
	if [ "$$found" = "$(words $(DEBIAN_PACKAGES))" ]; then :; \
	elif [ "$$(id -u)" != 0 ]; then echo "setup: not root, so these stay as they are (the lab and building wheels need them): $(DEBIAN_PACKAGES)"; \
	else apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(DEBIAN_PACKAGES) >/dev/null; fi
	@echo "setup: virtual environment $(VENV)"
	@[ -x $(BIN)/python ] || /usr/bin/python3 -m venv $(VENV)
	@grep -E -A 40 '^uv==' requirements.lock | awk 'NR==1 || /^ /{print; next} {exit}' > $(VENV)/uv.lock
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r $(VENV)/uv.lock
	@$(BIN)/uv pip sync -q --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation --offline -e .
# Where PYTHONDONTWRITEBYTECODE is set, every process would compile Ansible anew; a playbook starts many.
	@$(BIN)/python -m compileall -q -j 0 -x /ansible_collections/ $(VENV)/lib
	@touch $@

lock: ## resolve requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile -q --upgrade pyproject.toml --extra dev --generate-hashes --no-emit-index-url --no-header --universal \
	  --python-version 3.11 -o requirements.lock

lint: setup ## ansible-lint (production profile), yamllint, ruff, mypy
	$(BIN)/ruff check $(PYTHON_FOLDERS)
	$(BIN)/ruff format --check $(PYTHON_FOLDERS)
	$(BIN)/mypy
	$(BIN)/yamllint --strict .
	PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/ansible-lint --strict
	$(BIN)/python -m airflow_ops.role_docs --check

unit: setup ## the tests that need no host
	PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/pytest -q -n 2 --junit-xml $(REPORTS)/unit.xml tests/unit

molecule: setup ## the roles one by one, on the lab's dev hosts
	. lab/activate dev && tests/run_molecule

integration: setup ## the whole cluster on the lab's prod hosts, from bare hosts
	. lab/activate prod && $(BIN)/pytest -q --timeout 1800 --durations 20 --junit-xml $(REPORTS)/integration.xml tests/integration

test: setup ## lint, unit, molecule and integration, with the time of each
	@tests/timed "lint unit molecule" integration

# Two lanes, each with a lab; the modules go to whichever is free.
faults: setup ## the fault tests: hosts are killed, cut off, filled (SHARD=1/4 for a part that takes about a quarter)
	. lab/activate prod && $(BIN)/pytest -v -n $(LANES) --dist loadfile --no-loadscope-reorder --timeout 1800 --durations 20 \
	  --junit-xml $(REPORTS)/$(REPORT).xml --shard "$(SHARD)" $(FAULTS) tests/faults

soak: setup ## heavy load, an hour for the watchdog and two for the scheduler (SOAK_SECONDS=600: ten minutes each), and outages of 20 minutes
	. lab/activate prod && $(BIN)/pytest -q -s --timeout 0 tests/soak

bench-dags: setup ## what a delivery costs beside its peers, on 4 to 32 plain hosts: an hour (parts: ARGS="--hosts 9 --tree 600")
	. lab/activate prod && $(BIN)/python -m bench $(ARGS)

bench-overhead: setup ## what airflow-ops adds to ansible-playbook on a delivery to 9 plain hosts: two minutes
	. lab/activate prod && $(BIN)/python -m bench.overhead $(ARGS)

bench-sync: setup ## what a sync of 1000 connections costs beside export and import (needs the lab's prod and dev)
	. lab/activate both && $(BIN)/python -m bench.sync $(ARGS)

demo: setup ## a cluster on this machine from nothing: lab, site.yml, DAGs, a run, a summary
	@. lab/activate prod && $(BIN)/python -m lab.demo

bundle: setup ## one archive from which a controller without internet installs everything (EXTRA="name==version ...")
	$(BIN)/python -m airflow_ops.bundle dist $(foreach package,$(EXTRA),--extra $(package))

docs: setup ## write the variable tables of the role READMEs anew
	$(BIN)/python -m airflow_ops.role_docs

clean-lab: ## take the lab down, and those of other lanes; leaves no mount, bridge, process or firewall rule
	@if [ -x $(BIN)/python ]; then . lab/activate && for lane in /var/lib/airflow-ops-lab/$$LAB_NAME[0-9]; do \
	  if [ -e "$$lane" ]; then LAB_NAME=$${lane##*/} lab destroy; fi; done && lab destroy; fi
