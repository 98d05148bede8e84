# Two commands on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
SECONDS ?= 60
BIN := .venv/bin
INSTALLED := .venv/installed

# What sops-nix pins, and the newest: oracles of tests/sops/test_releases.py, where Go is there.
SOPS_RELEASES := 3.12.2 3.13.3

.PHONY: demo test test-long sops-releases fuzz bench lint

demo: $(INSTALLED)
	$(BIN)/nixsecrets demo

test: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses auto

test-long: $(INSTALLED)
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest --numprocesses auto tests/sops/test_differential.py

sops-releases: $(SOPS_RELEASES:%=build/sops-%/sops)

build/sops-%/sops:
	GOBIN=$(CURDIR)/build/sops-$* go install github.com/getsops/sops/v3/cmd/sops@v$*

fuzz: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	$(BIN)/python -m fuzz.run --seconds $(SECONDS)

bench: $(INSTALLED)
	$(BIN)/python -m bench.run $(BENCH)

lint: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "nixsecrets needs Python 3.11 or later; this is: $$($(PYTHON) --version)" >&2; \
	  echo "name another one: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
	  echo "$(PYTHON) -m venv does not work here; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,dev]'
	@touch $@
