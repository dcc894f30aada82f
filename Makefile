# make run     set up .venv and run the Mainen & Sejnowski experiment on NEST
# make test    set up what the tests need too, then every check, on NEST, NEURON and Brian2
# make bench   measure speed beside bare PyNEST
# make format  put the code into its format
# make clean   remove .venv and caches (runs/ stays)

SHELL := /bin/sh
# Python 3.11 to 3.13; name one yourself with: make run PYTHON=/path/to/python3.12
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	2>/dev/null && echo "$$p" && break; done)
VENV_PYTHON := .venv/bin/python
PIP := $(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check --no-input
CODE := pynn_model backends analysis scripts tests

.PHONY: run test bench format clean

run: .venv/.ready-run
	@$(VENV_PYTHON) -m scripts.run nest mainen_sejnowski

test: .venv/.ready-test
	$(VENV_PYTHON) -m ruff check $(CODE)
	$(VENV_PYTHON) -m ruff format --check $(CODE)
	$(VENV_PYTHON) -m mypy pynn_model backends analysis
	$(VENV_PYTHON) -m pytest

bench: .venv/.ready-test
	@$(VENV_PYTHON) -m scripts.bench

format: .venv/.ready-test
	$(VENV_PYTHON) -m ruff format $(CODE)
	$(VENV_PYTHON) -m ruff check --fix $(CODE)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Each stamp is made last, so an interrupted set-up is taken up again.
.venv/.ready-run: requirements.txt | .venv/.made
	@echo "Installing requirements.txt (once) ..."
	@$(PIP) -r requirements.txt
	@touch "$@"

.venv/.ready-test: tests/requirements.txt requirements-simulators.txt .venv/.ready-run
	@echo "Installing the other simulators and what the tests need (once) ..."
	@$(PIP) -r tests/requirements.txt
	@$(VENV_PYTHON) -m pynn_model.conventions.mechanisms
	@touch "$@"

.venv/.made:
	@test -n "$(PYTHON)" || { echo "error: Python 3.11, 3.12 or 3.13 is needed;" \
		"none was found (make $(MAKECMDGOALS) PYTHON=/path/to/python)" >&2; exit 1; }
	@echo "Creating .venv with $$("$(PYTHON)" --version) ..."
	@"$(PYTHON)" -m venv .venv
	@touch "$@"
