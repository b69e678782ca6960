# Everything needs only python3 (3.11 or newer) and make: the first target that runs sets up .venv by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup demo test soak up bench lint format lock clean

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Chốt needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12 …")'
	@echo "Setting up $(VENV) (once; about a minute)…"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@# pip compiles the libraries but not what is installed in place, and with PYTHONDONTWRITEBYTECODE nobody else does:
	@# every process would compile it anew (measured: half of the time until a service is ready).
	@$(BIN)/python -m compileall -q services shared workflows deploy
	@touch $(STAMP)

demo: $(STAMP)
	@$(BIN)/chot demo

up: $(STAMP)
	@$(BIN)/chot up

test: $(STAMP)
	$(BIN)/python -m pytest -m "not soak" -n 3 --dist loadfile --no-loadscope-reorder --max-worker-restart 0

soak: $(STAMP)
	$(BIN)/python -m pytest -m soak -o faulthandler_timeout=0

bench: $(STAMP)
	@$(BIN)/python -m bench

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Locks with hashes and without addresses, for every platform and Python from 3.11 on.
lock: $(STAMP)
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
		--python-version 3.11 --extra local --extra dev pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
		--python-version 3.11 pyproject.toml -o deploy/k8s/requirements.lock
	@# What builds the package in the image; the versions are those of requirements.lock.
	echo "hatchling>=1.27" | $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
		--python-version 3.11 --constraint requirements.lock - -o deploy/k8s/build.lock

clean:
	-@test -L .chot/data/postgres && rm -rf "$$(readlink .chot/data/postgres)"
	rm -rf $(VENV) .chot .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
