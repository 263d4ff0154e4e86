# The course's commands. README.md has the plain equivalents for those without make.

PRESET ?= laptop
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export UV_TORCH_BACKEND ?= auto

DEVICE ?= cuda
BUDGET ?= 540
OUT ?= build/gpu
ONLY ?=
FOLDER ?= $(OUT)
SITE ?= build/site
HERE = $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))

.PHONY: help setup lab test lowest course regress refresh leads sync lint bench gpu gpu-pack gpu-take

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

setup: $(VENV)/installed ## make .venv and install everything; the others do this first when due

# One install call, so that torch and torchvision are chosen together. uv takes PyTorch's own index,
# which has CPU builds; where only a mirror of PyPI can be reached, it tries again without.
$(VENV)/installed: pyproject.toml
	@if command -v uv >/dev/null; then uv venv --quiet --allow-existing $(VENV) && { uv pip install --python $(VENV) -e '.[dev]' \
	|| env -u UV_TORCH_BACKEND uv pip install --python $(VENV) -e '.[dev]'; }; \
	else $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install -e '.[dev]'; fi
	@touch $@

lab: setup ## open JupyterLab on the first lesson
	$(BIN)/jupyter lab notebooks/01_vanilla_gan.ipynb

test: lint ## everything that must pass before a change lands
	$(BIN)/python -m pytest -n logical --maxprocesses 4

# The environment is made anew, since uv keeps what is installed where it satisfies the bounds.
lowest: ## the same with Python 3.10 and the lowest versions that pyproject.toml allows
	@command -v uv >/dev/null || { echo "make lowest needs uv, since pip cannot choose low versions: pip install uv"; exit 1; }
	rm -rf .venv-lowest
	UV_PYTHON=3.10 UV_RESOLUTION=lowest-direct $(MAKE) test VENV=.venv-lowest

course: setup ## execute all lessons into build/PRESET (make course PRESET=smoke)
	$(BIN)/gancourse run all -p preset $(PRESET) --out build/$(PRESET)

regress: setup ## the laptop preset; fails when a claim does not hold
	$(BIN)/gancourse run all -p preset laptop --out build/laptop --check-claims

refresh: setup ## execute the lessons and put their outputs into notebooks/
	$(BIN)/python -m tools.refresh

leads: setup ## draw the first picture of each lesson, from the weights that ship
	$(BIN)/python -m tools.leads

sync: setup ## write the package's code into the lessons' live cells
	$(BIN)/python -m tools.sync

lint: setup ## style of code and lessons
	$(BIN)/ruff check && $(BIN)/ruff format --check && $(BIN)/python -m tools.lint

bench: setup ## our trainer against a tutorial's loop here, into benchmarks/ (make bench FULL=--full)
	$(BIN)/gancourse bench $(FULL)
	$(BIN)/python -m benchmarks.report

# On a machine without a network, python3 has PyTorch, and SITE the rest: see gpu-pack. Some pieces
# alone: make gpu ONLY="speed:cyclegan lesson".
gpu: ## all that needs a GPU, into OUT in BUDGET seconds: make gpu DEVICE=cuda BUDGET=540 OUT=build/gpu
	@if [ -f $(SITE).tar.xz ]; then mkdir -p $(SITE) && $(HERE) -m tarfile -e $(SITE).tar.xz $(SITE); fi
	PYTHONPATH=$(CURDIR):$(CURDIR)/$(SITE) $(HERE) -m tools.gpu --device $(DEVICE) --budget $(BUDGET) --out $(OUT) --only $(ONLY)

gpu-pack: setup ## pack what a machine with PyTorch but without a network lacks: SITE.tar.xz
	$(BIN)/python -m tools.gpu.pack $(SITE).tar.xz

gpu-take: setup ## keep what is better of the folder that make gpu wrote (make gpu-take FOLDER=build/gpu)
	$(BIN)/python -m tools.gpu.take $(FOLDER)
