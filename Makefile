# Each target sets up all that it needs on a machine with make and Python 3.11 or newer (PYTHON=… names another one).
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip -qq --disable-pip-version-check --no-input
ARGS ?=
SOURCES := core plugins storefront_api admin_api app.py tests bench

.PHONY: demo test check bench clean
.SILENT:
.DELETE_ON_ERROR:

demo: $(VENV)/.runtime $(VENV)/.editable  ## a whole mall with demo data; Ctrl-C stops it
	exec $(VENV)/bin/mall demo $(ARGS)

test: $(VENV)/.dev $(VENV)/.editable  ## the whole suite, against servers of its own
	$(PY) -m pytest -n 2 $(ARGS)

check: $(VENV)/.dev $(VENV)/.editable  ## style, types, layers, spelling, docs
	echo "ruff check";        $(VENV)/bin/ruff check --quiet .
	echo "ruff format";       $(VENV)/bin/ruff format --check --quiet .
	echo "basedpyright";      $(VENV)/bin/basedpyright --level error
	echo "import-linter";     $(VENV)/bin/lint-imports --no-cache >$(VENV)/lint-imports.log 2>&1 || { cat $(VENV)/lint-imports.log; exit 1; }
	echo "codespell";         $(VENV)/bin/codespell
	if [ -e core/docs.py ] || [ -e core/docs/__main__.py ]; then echo "docs"; $(PY) -m core.docs --check; fi

bench: $(VENV)/.dev $(VENV)/.editable  ## ratios against yardsticks, in one run
	$(PY) -m bench $(ARGS)

clean:  ## what the targets made, but not the data in .mall
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "Python 3.11 or newer is needed; say which one with PYTHON=/path/to/python3"; exit 1; }
	echo "Making $(VENV) …"
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock | $(PY)
	echo "Installing packages (the first time takes a minute) …"
	$(PIP) install --require-hashes -r requirements.lock
	touch $@

$(VENV)/.dev: requirements-dev.lock | $(PY)
	echo "Installing packages for tests and checks (the first time takes a minute) …"
	$(PIP) install --require-hashes -r requirements-dev.lock
	touch $@ $(VENV)/.runtime

$(VENV)/.editable: pyproject.toml | $(PY)
	$(PIP) install --no-deps --editable .
	touch $@
