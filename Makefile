# Everything starts from Python >= 3.10 and pip. `make demo` needs nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A plain `pip install torch` brings several GB of CUDA libraries; TORCH names the release that is tested on the CPU.
TORCH ?= torch

.PHONY: setup demo test test-all lint mutants bench clean

setup: $(VENV)/installed

$(VENV)/installed: requirements.txt constraints.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.10 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 10) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --prefer-binary -c constraints.txt $(TORCH)
	$(BIN)/python -m pip install -q --prefer-binary -c constraints.txt -r requirements.txt
	touch $@

demo: setup
	$(BIN)/python inference.py audio_path=demo/song.ogg output_path=output difficulty=4 seed=1

test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow"

test-all: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

lint: setup
	$(BIN)/ruff check .

mutants: setup
	$(BIN)/python tests/mutants.py -j 2

bench: setup
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/decoding.py

clean:
	rm -rf $(VENV) output
