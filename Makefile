# Two commands do everything on a fresh machine: `make sweep` and `make test`.
# make sweep ARGS="model=roberta-base task=mrpc"     real work
# make paper                                         the paper in miniature, offline, and its report
# make gpu                                           on a machine with a CUDA device: its tests, and what things cost
# make ray                                           installs Ray; its tests, of two nodes too
# make lint                                          format, lint, types, import rules

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# the first interpreter that starts and is one of those we are tested with
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)

.PHONY: sweep paper test ray gpu lint install clean

sweep: $(VENV)/.installed
	$(BIN)/intdim sweep $(ARGS)

paper: $(VENV)/.installed
	$(BIN)/intdim sweep experiment=mini out=outputs/mini offline=true $(ARGS)
	$(BIN)/intdim report out=outputs/mini

test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false $(BIN)/python -m pytest -n 2 $(ARGS)

ray: $(VENV)/.installed-ray
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow tests/launch/test_ray.py tests/launch/test_ray_nodes.py $(ARGS)

# with BIN=/usr/bin, say, in the Python there, and no virtual environment is made
gpu: $(if $(filter command line,$(origin BIN)),,$(VENV)/.installed-dev)
	$(BIN)/python3 scripts/gpu.py $(ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

install: $(VENV)/.installed

$(VENV)/bin/pip:
	@test -n "$(PYTHON)" || { echo "intdim needs Python 3.11, 3.12 or 3.13; give one with PYTHON=" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

$(VENV)/.installed-ray: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[ray]'
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .import_linter_cache build dist
