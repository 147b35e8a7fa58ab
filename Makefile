PYTHON ?= python3
BIN := .venv/bin
export RAY_AUTH_MODE ?= disabled

.PHONY: demo test faults lint format lock clean

demo: .venv/ready  ## Make a talking corpus with planted defects and run the whole job on it.
	$(BIN)/auricle demo

test: .venv/ready  ## Everything that CI tests.
	$(BIN)/pytest -n 2 --dist loadfile

N ?= 500
faults: .venv/ready  ## Kill drivers, workers and nodes N times; the last line is the proof.
	$(BIN)/python -W ignore tests/faults/harness.py $(N)

lint: .venv/ready  ## Style and types.
	mkdir -p build/types && ln -sfn ../.. build/types/auricle
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright --pythonpath $(BIN)/python

format: .venv/ready  ## Put the code into the house style.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: .venv/ready  ## Resolve the dependencies again into requirements.lock.
	$(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	    --custom-compile-command "make lock" --all-extras --group dev pyproject.toml -o requirements.lock

clean:  ## Remove what demo and builds left behind.
	rm -rf demo build dist

# uv sits inside the virtual environment, so that only python3, pip and make are needed.
.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q uv
	$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	touch $@
