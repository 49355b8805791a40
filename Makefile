# `make help` lists the targets. Each does its own set-up.
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
PACKAGES := ci_utils cli ticket_system lander ppa_assigner branch_source_builder image_builder test_runner web_ui demo
QUICK := not slow and not system and not server

.PHONY: help
help:  ## Show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup:  ## Install Debian packages and .venv for development
	@bin/setup --test

.PHONY: check
check: setup  ## Style, types and import rules
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy --no-error-summary .
	.venv/bin/lint-imports --no-logo

.PHONY: format
format: setup  ## Let ruff mend style where it can
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

.PHONY: test
test: setup  ## The quick tests: no builds, no machines, no servers
	$(PYTHON) -m pytest --numprocesses auto --dist loadscope -m "$(QUICK)"

.PHONY: all-tests
all-tests:  ## Every check and test, as in CI
	@bin/test

.PHONY: faults
faults: setup  ## Every fault, with the long sweeps that `make all-tests` leaves out
	$(PYTHON) -m pytest -m "sweep or not sweep" tests/faults

.PHONY: fuzz-api
fuzz-api: setup  ## Ask the API for an hour or so whether any answer is not as described
	API_EXAMPLES=$${API_EXAMPLES:-1000} $(PYTHON) -m pytest tests/api/test_fuzz.py

.PHONY: audit
audit:  ## Known holes of the pinned dependencies (asks the registry), and bandit
	@test -x .audit/bin/bandit || { python3 -m venv .audit && .audit/bin/pip install --quiet pip-audit bandit; }
	.audit/bin/bandit --quiet --recursive --severity-level medium --configfile pyproject.toml $(PACKAGES)
	.audit/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip --strict

.PHONY: fuzz
fuzz: setup  ## 100,000 hostile inputs; by atheris too where the extra `fuzz` is installed
	$(PYTHON) -m tests.fuzz

.PHONY: docs
docs: setup  ## Build the documentation into docs/_build
	$(PYTHON) -m sphinx -q -W --keep-going -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

.PHONY: man
man: setup  ## Write the manual page of ubuntu-ci anew
	PYTHONPATH=. $(PYTHON) docs/man_page.py

.PHONY: demo
demo:  ## One real package, end to end, on this machine
	@bin/demo

.PHONY: bench
bench: setup  ## The benchmarks, as tables (`python -m benchmarks NAME` runs one): ten minutes, as root
	@bin/setup --bench
	$(PYTHON) -m benchmarks

.PHONY: soak
soak: setup  ## A thousand tickets whose steps do nothing, or fifteen minutes of them
	$(PYTHON) -m benchmarks soak

.PHONY: fresh
fresh:  ## Prove bin/demo and bin/test on a minimal Debian root
	@bin/fresh

.PHONY: clean
clean:  ## Remove what builds and checks leave behind
	rm -rf build docs/_build .audit .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info
