# Every target does its own set-up: a virtual environment in .venv, and the two system libraries that MediaPipe needs.
# It gets the versions of constraints.txt; with LATEST=1 the newest that pyproject.toml allows.
PYTHON ?= python3
BIN := .venv/bin
# Tests start hundreds of processes: bytecode is kept whatever the environment says, so that not each compiles anew.
# Three at a time on two cores, since many wait for processes and sockets. A worker that dies ends the run: with another
# in its place, pytest-xdist waits for ever.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/pytest
LATEST ?=
ifeq ($(LATEST),)
VERSIONS := -c constraints.txt
RUNTIME := .venv/.runtime
DEV := .venv/.dev
else
VERSIONS := --upgrade --upgrade-strategy eager
RUNTIME := .venv/.runtime-latest
DEV := .venv/.dev-latest
endif
DEMO_ARGS ?=
TEST_ARGS ?=
SHARED ?= ../shared

.DELETE_ON_ERROR:
.PHONY: demo test slow-test reliability soak triton lint audit lock release train-default train-final train-dev train-open train-open-final train-open-dev clean

demo: $(RUNTIME)
	@$(BIN)/edge-app demo $(DEMO_ARGS)

test: $(DEV)
	@$(BIN)/python -m edge_app.pose.model_file >&2
	$(PYTEST) -m "not slow and not gpu" -n 3 --dist loadfile --no-loadscope-reorder --max-worker-restart 0 $(TEST_ARGS)

slow-test: $(DEV)
	$(PYTEST) -m "not gpu" --hypothesis-profile=thorough $(TEST_ARGS)

# Every fault and attack, and the table of how they ended.
reliability: $(DEV)
	@mkdir -p runs
	$(PYTEST) -m "fault and not gpu" -k "not 10000" --junitxml=runs/reliability.xml $(TEST_ARGS); code=$$?; \
		$(BIN)/python benchmarks/reliability.py runs/reliability.xml > benchmarks/reliability.md; exit $$code

SECONDS ?= 300
soak: $(DEV)
	$(BIN)/python -m benchmarks.soak.soak --seconds $(SECONDS)

# Source distribution and wheel in dist, and the README's ten lines run by the wheel in an environment of its own.
release: $(DEV)
	@rm -rf dist build
	$(BIN)/python -m build --outdir dist .
	$(PYTHON) -m venv dist/.try
	dist/.try/bin/pip install -q --disable-pip-version-check -c constraints.txt dist/*.whl
	cd dist && .try/bin/python ../tests/examples/ten_lines.py ../README.md
	@rm -rf dist/.try && ls -l dist

# A real Triton server for the slow tests, apart from all else, for it wants another NumPy: x86-64 only, half a gigabyte.
triton: .venv/triton/.done
.venv/triton/.done:
	$(PYTHON) -m venv .venv/triton
	.venv/triton/bin/pip install -q nvidia-pytriton onnxruntime
	@touch $@

lint: $(DEV)
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

# Known weaknesses of what is installed; needs a package index that answers pip-audit's questions.
audit: $(DEV)
	$(BIN)/pip-audit --skip-editable --progress-spinner off

# The default bundle from nothing but $(SHARED)/data, by the recipes of configs/train: `make -j2 train-default` takes
# more than an hour on two cores, each recipe on one. The web network's weights are named in the recipes.
train-default: train-final train-dev
	$(BIN)/python -m export bundle --encoder runs/final/encoder.pt --heads runs/final \
		--calibration runs/dev/calibration.json --labels configs/labels/default.txt --card train/MODEL_CARD.md \
		--version 2 --out edge_app/bundles/default

# The bundle that a company may ship, in the same way from what its makers let anybody use.
train-open: train-open-final train-open-dev
	$(BIN)/python -m export bundle --encoder runs/open/encoder.pt --heads runs/open \
		--calibration runs/dev-open/calibration.json --labels configs/labels/default.txt --card train/MODEL_CARD_OPEN.md \
		--name open --licence "weights: Apache-2.0, see MODEL_CARD.md" --out edge_app/bundles/open

train-open-final: $(DEV)
	$(BIN)/python -m train recipe configs/train/open.yaml --data $(SHARED)/data --out runs/open
train-open-dev: $(DEV)
	$(BIN)/python -m train recipe configs/train/dev-open.yaml --data $(SHARED)/data --out runs/dev-open
train-final: $(DEV)
	$(BIN)/python -m train recipe configs/train/default.yaml --data $(SHARED)/data --out runs/final
train-dev: $(DEV)
	$(BIN)/python -m train recipe configs/train/dev.yaml --data $(SHARED)/data --out runs/dev

.venv/.system:
	@command -v $(PYTHON) >/dev/null || { echo "edge-app: $(PYTHON) not found; Python 3.10 or later is needed" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "edge-app: $$($(PYTHON) --version) found; Python 3.10 or later is needed" >&2; exit 2; }
	@missing=""; \
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || missing="$$missing python3-venv"; \
	for pair in libEGL.so.1:libegl1 libGLESv2.so.2:libgles2 libGL.so.1:libgl1 libglib-2.0.so.0:libglib2.0-0 libxcb.so.1:libxcb1; do \
		$(PYTHON) -c "import ctypes; ctypes.CDLL('$${pair%%:*}')" 2>/dev/null || missing="$$missing $${pair##*:}"; \
	done; \
	if [ -n "$$missing" ]; then \
		command -v apt-get >/dev/null || { echo "edge-app: please install:$$missing" >&2; exit 2; }; \
		sudo=""; [ "$$(id -u)" = 0 ] || sudo="sudo"; \
		echo "edge-app: installing$$missing" >&2; \
		$$sudo apt-get update -qq >&2 && $$sudo apt-get install -y -qq --no-install-recommends $$missing >&2; \
	fi
	@mkdir -p .venv && touch $@

.venv/bin/python: .venv/.system
	@$(PYTHON) -m venv .venv

# A stamp tells what is installed; the others go first, so that a change of versions, or a failure, installs anew.
INSTALL = @rm -f .venv/.runtime* .venv/.dev*; $(BIN)/pip install -q --disable-pip-version-check $(VERSIONS)

$(RUNTIME): pyproject.toml constraints.txt .venv/bin/python
	@echo "edge-app: installing into .venv" >&2
	$(INSTALL) -e '.[view]' >&2
	@touch $@

$(DEV): pyproject.toml constraints.txt .venv/bin/python
	@echo "edge-app: installing into .venv, with everything for training and tests" >&2
	$(INSTALL) -e '.[dev]' >&2
	@touch $@ $(RUNTIME)

# The newest versions that pyproject.toml allows, for every Python from 3.10 on and every machine, into constraints.txt.
lock: .venv/bin/python
	@$(BIN)/pip install -q --disable-pip-version-check uv >&2
	@$(BIN)/uv pip compile -q --universal --python-version 3.10 --all-extras --upgrade --no-annotate \
		--no-emit-package pip --custom-compile-command "make lock" --output-file constraints.txt pyproject.toml

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache
