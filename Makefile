# `make scan` and `make test` set everything up by themselves; they need Python 3.11 or newer (with venv) and a package index.
# Another interpreter: `make test PYTHON=/path/to/python3.13`.
SHELL := /bin/sh
.DEFAULT_GOAL := help
BIN := .venv/bin
SHOP := fixtures/repos/django_shop
CASES ?= ../shared/cases

.PHONY: help scan test docs lint types imports unit format test-browser test-sarif package-test bench accuracy lock clean

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

scan: .venv/installed ## audit the fixture shop and write build/report
	@$(BIN)/flowaudit scan $(SHOP) --report build/report
	@echo "The report is in build/report: read build/report/brief.md first."

test: lint types imports unit ## lint, type-check, check the layers and run the tests

lint: .venv/installed ## ruff
	$(BIN)/ruff check .

types: .venv/installed ## mypy --strict
	$(BIN)/mypy

imports: .venv/installed ## who may import whom
	$(BIN)/lint-imports

unit: .venv/installed ## pytest
	$(BIN)/python -m pytest -q

docs: .venv/installed ## write docs/rules/ anew from the rules' documentation
	$(BIN)/python scripts/rule_pages.py

format: .venv/installed ## sort imports and mend what ruff can mend safely
	$(BIN)/ruff check --fix .

test-browser: .venv/installed ## tests of the HTML report in Chromium; installs Playwright, axe-core and, on Debian as root, Chromium
	@sh scripts/browser.sh "$(BIN)/python" build/browser
	$(BIN)/python -m pytest -q -m browser tests/browser

test-sarif: .venv/installed ## the SARIF of the fixtures under Microsoft's validator with GitHub's rules (Linux); needs npm
	@test -x build/sarif/node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool || npm install --silent --no-audit --no-fund --prefix build/sarif '@microsoft/sarif-multitool@5.7.0'
	$(BIN)/python -m pytest -q -m sarif tests/test_multitool.py

package-test: .venv/installed ## build wheel and sdist, install each in a clean environment; needs a package index
	$(BIN)/python -m pytest -q -m package tests/test_package.py

bench: .venv/installed ## time and memory against docs/performance.md; needs TREE=folder (a checkout of saleor/saleor), or ARGS="--growth"
	@test -n "$(TREE)$(findstring --growth,$(ARGS))" || { echo "make bench needs TREE=folder: a checkout of saleor/saleor, on a quiet machine" >&2; exit 1; }
	$(BIN)/python -m benchmarks $(if $(TREE),--tree "$(TREE)") $(ARGS)

accuracy: .venv/installed ## score against public cases; needs CASES=folder with score.py, MIRROR=folder of bare repositories
	@test -f "$(CASES)/score.py" || { echo "make accuracy needs CASES=folder that holds score.py and pairs/" >&2; exit 1; }
	@test -n "$(MIRROR)" || { echo "make accuracy needs MIRROR=folder of bare git repositories, OWNER+NAME each" >&2; exit 1; }
	$(BIN)/python -m benchmarks.firing_differential
	@test ! -f "$(CASES)/crontabs.yaml" || $(BIN)/python -m benchmarks.crontab_cases "$(CASES)/crontabs.yaml"
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python "$(CASES)/score.py" --tool flowaudit --mirror "$(MIRROR)" --out build/accuracy.json $(ARGS)

lock: .venv/installed ## write requirements.lock anew from pyproject.toml (newest versions)
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --upgrade --quiet \
	  --no-emit-index-url --no-annotate --custom-compile-command "make lock" --output-file requirements.lock

clean: ## remove what was built, not the environment
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# Two stamps, so that a changed setting in pyproject.toml does not read the whole lock again.
.venv/locked: requirements.lock
	@sh scripts/find-python.sh "$(PYTHON)" > /dev/null
	@test -x $(BIN)/python || "$$(sh scripts/find-python.sh "$(PYTHON)")" -m venv .venv
	@echo "installing the pinned packages into .venv (a minute or two the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

.venv/installed: .venv/locked pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: .venv
.venv: .venv/installed ## the environment alone
