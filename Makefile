# Two commands set everything up: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
export NO_MKDOCS_2_WARNING = 1

.PHONY: demo test test-slow check bench docs clean

.venv: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev,docs]"
	@touch .venv

demo: .venv
	$(BIN)/uomh verify --dataset digits --out out/digits
	$(BIN)/uomh train --dataset digits --model vae --run-dir runs/digits_vae

test: .venv
	$(BIN)/python -m pytest -m "not slow"

test-slow: .venv
	$(BIN)/python -m pytest -m slow --timeout 3600

check: .venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mkdocs build --strict --quiet

bench: .venv
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

docs: .venv
	$(BIN)/mkdocs build --strict

clean:
	rm -rf .venv site build .mypy_cache .ruff_cache .pytest_cache
