# The README's two commands: `make demo` and `make test`. Both make a virtual environment first if there is none.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-fast test-gpu lint format clean

demo: $(READY)
	$(BIN)/growgan demo --out demo

test: lint
	$(BIN)/pytest -n 2 --dist worksteal

test-fast: $(READY)
	$(BIN)/pytest -n 2 --dist worksteal -m "not slow"

# On a machine with a CUDA GPU: with the tested PyTorch if pip took a build of it that has CUDA, else install one into .venv.
test-gpu: $(READY)
	GROWGAN_TEST_GPU=1 $(BIN)/pytest -m gpu

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $(READY)

clean:
	rm -rf $(VENV) demo .pytest_cache .mypy_cache .ruff_cache
