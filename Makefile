# Two commands set everything up: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
export NO_MKDOCS_2_WARNING = 1

.PHONY: demo test test-slow check bench docs clean

.venv: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev,docs]"
	@touch .venv

# The answer both ways: a set of known dimensions, and one that is open; then one model of everything
# against one for each class.
demo: .venv
	$(BIN)/uomh verify --dataset manifold:union-2-5-10 digits data.limit=3000 --out out/demo
	$(BIN)/uomh train --dataset digits --model vae --run-dir runs/digits_vae
	$(BIN)/uomh train --dataset digits --model vae --disconnected class --run-dir runs/digits_vae_by_class
	$(BIN)/uomh evaluate runs/digits_vae runs/digits_vae_by_class --metrics bits_per_dim,fid,between
	$(BIN)/uomh report out/demo runs/digits_vae runs/digits_vae_by_class --out report.html

# Two tests at a time, each on one thread: the suite is of many small ones.
JOBS ?= 2

test: .venv
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" -n $(JOBS) --dist worksteal

test-slow: .venv
	$(BIN)/python -m pytest -m slow --timeout 3600

check: .venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mkdocs build --strict --quiet

DATA_ROOT ?= data

bench: .venv
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/neighbours.py --data-root $(DATA_ROOT)

docs: .venv
	$(BIN)/mkdocs build --strict

clean:
	rm -rf .venv site build .mypy_cache .ruff_cache .pytest_cache
