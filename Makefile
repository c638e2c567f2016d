# Two commands: `make demo` and `make test`. Both start from a Debian or Ubuntu with python3 and make.
VENV ?= .venv
BIN := $(VENV)/bin
export OBJCACHE ?= ccache

.PHONY: help demo test lint nightly wheel-test benchmarks clean

help:
	@echo "make demo        install into .venv and simulate ResNet-50 on the edge_int8 preset; report in out/"
	@echo "make test        install test tools and RTL simulators, then lint, types and the whole suite"
	@echo "make nightly     the long profiles (hours of hypothesis, RTL and fuzzing are not run in CI)"
	@echo "make wheel-test  build the wheel and test it away from the source tree"
	@echo "make benchmarks  CPU seconds and memory of the main job"

demo:
	@VENV=$(VENV) sh tools/bootstrap.sh run
	$(BIN)/tilewright sim resnet50 --arch edge_int8 --report out/
	@echo "report: out/report.html"

lint:
	@VENV=$(VENV) sh tools/bootstrap.sh test
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/python -m pytest -q -m "not nightly" -n 2 --dist loadfile

nightly:
	@VENV=$(VENV) sh tools/bootstrap.sh test
	$(BIN)/python tools/nightly.py

wheel-test:
	@VENV=$(VENV) sh tools/bootstrap.sh test
	VENV=$(VENV) sh tools/wheel_test.sh

benchmarks:
	@VENV=$(VENV) sh tools/bootstrap.sh run
	$(BIN)/python benchmarks/resnet50_cost.py

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis sim_build out
