# `make demo` and `make test` set up .venv by themselves; they need Python 3.11 or 3.12 and make, nothing else.
# Another interpreter: make test PYTHON=python3.12
PYTHON ?= python3
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d%d" % sys.version_info[:2])')
CONSTRAINTS := constraints/py$(VERSION).txt
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
FAST := tests/core tests/test_floors.py tests/test_adding.py tests/test_packaging.py tests/test_public_api.py tests/test_readme.py tests/docs

.PHONY: help setup demo test lint check format fuzz faults orphans leavings soak test-py312 test-light test-litert-torch test-metadata test-accelerators test-boards \
	test-tflite test-core test-wheel docs environments android-tools test-android benchmarks clean

help:
	@echo "make demo               train, convert and prove two small models (the main job)"
	@echo "make test               all tests, JOBS=2 files at a time"
	@echo "make lint               format, lint, types, floors"
	@echo "make check              these and fast tests: what CI runs but for the slow parts"
	@echo "make format             rewrite the code as 'make check' wants it"
	@echo "make test-py312         all tests on Python 3.12, in .venv-py312"
	@echo "make test-light         PyTorch and ONNX without TensorFlow, in .venv-light"
	@echo "make test-litert-torch  the litert-torch lowering, in .venv-litert-torch"
	@echo "make test-accelerators  GPU (lavapipe), NPU (OpenVINO's CPU plugin), Qualcomm's compiler, in .venv-accelerators"
	@echo "make test-boards        emulated boards over ssh, a real adbd: needs qemu-user-static, openssh-server, adb"
	@echo "make test-android       the APK and the Java wrapper, on TensorFlow 2.16.1: needs a JDK, Maven and apksigner"
	@echo "make test-tflite        the old engine tflite-runtime 2.14: sessions, and what it loads and delegates, in .venv-tflite"
	@echo "make test-metadata      TFLite Metadata read back by the official reader, in .venv-metadata"
	@echo "make test-core          the core without extras, on each of python3.10 to 3.13 that is there"
	@echo "make fuzz MINUTES=60    files with faults through reading, check, sessions and bundles (the tests do a minute of it)"
	@echo "make test-wheel         the built wheel in a clean environment: size, extras, help, types"
	@echo "make docs               the site, into docs/_build/html: warns on nothing, links within it checked"
	@echo "make faults             kill -9, ENOSPC, EIO and EACCES at each kind of system call by which commands write"
	@echo "make orphans            commands whose processes lose their parents by kill -9, one by one: all end within a second"
	@echo "make leavings           what commands leave in temporary folders, beside outputs and in caches, however they end"
	@echo "make soak               one session from 8 threads for ten minutes, and 10,000 openings: memory and values"
	@echo "make benchmarks         measure everything in benchmarks/README.md (about 40 minutes)"

# --- environments ---------------------------------------------------------------------------------------------------

setup: $(READY)

$(READY): pyproject.toml $(CONSTRAINTS)
	$(call install,$(PYTHON),$(VENV),$(CONSTRAINTS),convert$(COMMA)demo$(COMMA)dev)

$(CONSTRAINTS):
	@echo "this needs Python 3.11 or 3.12, and '$(PYTHON)' is neither: make $(MAKECMDGOALS) PYTHON=python3.11"
	@exit 1

COMMA := ,
# install(python, venv, constraints, extras)
define install
	@$(1) -m venv $(2) || { echo "no venv module: install python3-venv, or take another PYTHON"; exit 1; }
	@echo "installing into $(2): a few minutes, and 8 GB with PyTorch's default build (README says how to take the small one)"
	@$(2)/bin/python -m pip install --quiet --disable-pip-version-check -c $(3) -e '.[$(4)]'
	@touch $(2)/.installed
endef

# --- the main job and its tests ---------------------------------------------------------------------------------------

demo: $(READY)
	$(BIN)/edge-sdk demo

# Files of tests side by side (4 GB each), the slow ones first; then those that must have the machine to themselves.
JOBS ?= 2
SIDE_BY_SIDE := -n $(JOBS) --dist loadgroup --no-loadscope-reorder
test: $(READY)
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not alone" --durations=10
	$(BIN)/python -m pytest -m alone --durations=10

lint: $(READY)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache

check: lint
	$(BIN)/python -m pytest -q -m "not slow" $(FAST)

MINUTES ?= 60
fuzz: $(READY)
	$(BIN)/python -m tests.hostile.fuzz --minutes $(MINUTES)

faults: $(READY)
	$(BIN)/python -m tests.hostile.faults

orphans: $(READY)
	$(BIN)/python -m tests.hostile.orphans

leavings: $(READY)
	$(BIN)/python -m tests.hostile.leavings

SECONDS_EACH ?= 600
soak: $(READY)
	$(BIN)/python -m tests.hostile.soak --seconds $(SECONDS_EACH)

format: $(READY)
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# --- other environments -----------------------------------------------------------------------------------------------

test-py312:
	@python3.12 -c "" 2>/dev/null || { echo "python3.12 is not there: nothing tested"; exit 1; }
	$(MAKE) test PYTHON=python3.12 VENV=.venv-py312

.venv-litert-torch/.installed: pyproject.toml constraints/litert-torch.txt
	$(call install,$(PYTHON),.venv-litert-torch,constraints/litert-torch.txt,litert-torch$(COMMA)dev)

test-litert-torch: .venv-litert-torch/.installed
	.venv-litert-torch/bin/python -m pytest -m litert_torch

# What a PyTorch or ONNX user installs: no TensorFlow.
.venv-light/.installed: pyproject.toml $(CONSTRAINTS)
	$(call install,$(PYTHON),.venv-light,$(CONSTRAINTS),torch$(COMMA)dev)

test-light: .venv-light/.installed
	.venv-light/bin/python -m pytest -m light

# The APK is read by androguard too; it wants other versions than ours.
.venv-androguard/.installed:
	@$(PYTHON) -m venv .venv-androguard
	@.venv-androguard/bin/python -m pip install --quiet --disable-pip-version-check androguard==4.1.4
	@touch $@

# The engine's version in the APK, to run models and the Java wrapper on.
.venv-tf216/.installed:
	@$(PYTHON) -m venv .venv-tf216
	@.venv-tf216/bin/python -m pip install --quiet --disable-pip-version-check tensorflow-cpu==2.16.1
	@touch $@

android-tools: .venv-androguard/.installed .venv-tf216/.installed

test-android: $(READY) android-tools
	$(BIN)/python -m pytest -m android

.venv-accelerators/.installed: pyproject.toml constraints/accelerators.txt
	$(call install,$(PYTHON),.venv-accelerators,constraints/accelerators.txt,android$(COMMA)openvino$(COMMA)qualcomm$(COMMA)dev)

.boards/%/made: .venv-accelerators/.installed
	.venv-accelerators/bin/python -m tests.boards $*

# Made for these tests, these environments lack nothing: tests/conftest.py makes a skip a failure.
test-light test-litert-torch test-accelerators test-boards test-tflite: export MAKE_TARGET = $@

test-accelerators: .boards/mesa/made
	.venv-accelerators/bin/python -m pytest tests/engines tests/runtime tests/measure/test_ops.py tests/converters/compilers/qualcomm tests/core/checks/delegates/qnn -m 'not (images or signing)' \
	  --ignore tests/engines/test_xnnpack_int8.py

test-boards: .boards/adbd/made .boards/arm64/made .boards/arm64-tflite/made .boards/armhf-tflite/made
	.venv-accelerators/bin/python -m pytest tests/boards

.venv-tflite/.installed: pyproject.toml constraints/tflite-runtime.txt
	$(call install,$(PYTHON),.venv-tflite,constraints/tflite-runtime.txt,tflite-runtime$(COMMA)dev)

test-tflite: .venv-tflite/.installed
	.venv-tflite/bin/python -m pytest tests/engines tests/runtime tests/core/checks/delegates/xnnpack/test_loading_oracle.py \
	  tests/core/checks/delegates/xnnpack/test_oracle.py --ignore tests/engines/delegates/test_gpu.py --ignore tests/engines/delegates/test_npu.py \
	  -m 'not (images or signing or slow)'

# tflite-support is an oracle and no dependency: its own pins (protobuf < 4) are left out, and it has no wheel for 3.12.
.venv-metadata/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] > (3, 11))' || { echo "tflite-support needs Python 3.11 at most: make test-metadata PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv .venv-metadata
	.venv-metadata/bin/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e . hypothesis pytest
	.venv-metadata/bin/python -m pip install --quiet --disable-pip-version-check --no-deps tflite-support==0.4.4
	@touch $@

test-metadata: .venv-metadata/.installed
	.venv-metadata/bin/python -m pytest -m metadata_reader

# No constraints: the core must live with whatever numpy and click are there. A browser sees the same of every Python.
.venv-core-%/.installed: pyproject.toml
	@python$* -m venv .venv-core-$*
	@.venv-core-$*/bin/python -m pip install --quiet --disable-pip-version-check -e . hypothesis jsonschema pytest
	@touch $@

CORE := $(foreach version,3.10 3.11 3.12 3.13,$(if $(shell python$(version) -c 'print(1)' 2>/dev/null),$(version)))
test-core: $(CORE:%=.venv-core-%/.installed)
	@$(foreach version,$(filter-out $(CORE),3.10 3.11 3.12 3.13),echo "python$(version) is not there: skipped";)
	@for version in $(CORE); do \
	  echo "core on python$$version"; \
	  .venv-core-$$version/bin/python -m pytest -q tests/core tests/runtime tests/test_public_api.py -m 'not (runtime or images or signing or keras or torch or onnx or ethos_u or browser)' || exit 1; \
	done

# Of the core alone: the reference is written from what imports without a toolchain. nitpicky and -W make a link within the
# site that leads nowhere an error; links out of it are only looked at by tests/docs.
.venv-docs/.installed: pyproject.toml constraints/docs.txt
	@$(PYTHON) -m venv .venv-docs
	@.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check -c constraints/docs.txt -e '.[docs]'
	@touch $@

docs: .venv-docs/.installed
	.venv-docs/bin/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

# What README shows, with a package index.
test-wheel: $(READY)
	MAKE_TARGET=$@ $(BIN)/python -m pytest tests/test_wheel.py

benchmarks: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[benchmarks]'
	$(BIN)/python -m benchmarks all

# What CI makes while the tests of the main environment run; litert-torch's is too large to lie beside that.
environments: .venv-metadata/.installed .venv-docs/.installed $(CORE:%=.venv-core-%/.installed) .venv-tflite/.installed \
  .venv-accelerators/.installed .boards/mesa/made .boards/adbd/made .boards/arm64/made .boards/arm64-tflite/made \
  .boards/armhf-tflite/made

clean:
	rm -rf .venv .venv-* .boards build *.egg-info demo_output benchmarks/.models docs/_build docs/repository
