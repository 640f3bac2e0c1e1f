# Short names for `python -m tools COMMAND`, which has the options. All they build goes to build/ (and wheels to dist/).
#
# PYTHON is the interpreter for demo, test, bench and wheel: by default python3 if it is 3.11 or newer, else
# the newest that tools/default-python finds. `make test PYTHON=/path/to/python3.13` takes another.

PYTHON ?= $(shell tools/default-python)

# Each recipe starts with this: without an interpreter it says so and stops.
have_python = @test -n "$(PYTHON)" || { echo "CPython 3.11 to 3.15 with its headers is needed"; exit 1; }

.DEFAULT_GOAL := help
.PHONY: help demo test test-engine test-python test-matrix test-clients test-native test-musl test-windows \
    test-differential test-stress lint gate bench bench-quick docs drawings wheel wheels clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{ printf "  make %-17s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: ## build, run the two examples, time it against the reference
	$(have_python)
	@$(PYTHON) -m tools demo

test: test-engine test-python ## all tests on one interpreter

test-engine: ## the stackful engine's own tests, in C++
	$(have_python)
	@$(PYTHON) -m tools engine

test-python: ## the pytest suite and the reference's own suite
	$(have_python)
	@$(PYTHON) -m tools test

test-matrix: ## the same on every interpreter found (tools/provide-pythons gets more)
	$(have_python)
	@$(PYTHON) -m tools matrix

test-clients: ## the suites of gevent, eventlet, SQLAlchemy, ... here and on the reference; CLIENT=name runs one
	$(have_python)
	@$(PYTHON) -m tools clients $(CLIENT)

test-windows: ## build for Windows by MinGW-w64, and run its tests under Wine
	$(have_python)
	@$(PYTHON) -m tools windows

test-native: ## native code of NumPy, pydantic, lxml, Java, Qt, ... in greenlets and plainly; LIBRARY=name runs one
	$(have_python)
	@$(PYTHON) -m tools native $(LIBRARY)

test-musl: ## all tests with musl, the C library of Alpine Linux; builds CPython with it first
	$(have_python)
	@$(PYTHON) -m tools musl

test-differential: ## 100,000 random operations on this package and on the reference, compared
	$(have_python)
	@$(PYTHON) -m tools differential --seed 0 --operations 100000

test-stress: ## instrumented builds, then random programs and threads on every interpreter; BUDGET=seconds (3600)
	$(have_python)
	@$(PYTHON) -m tools stress $(BUDGET)

lint: ## check the form of the code: ruff, clang-format, clang-tidy
	$(have_python)
	@$(PYTHON) -m tools lint

gate: ## count the instructions of a switch and of a spawn, and compare with the limits
	$(have_python)
	@$(PYTHON) -m tools gate

bench: ## measure beside the reference and other ways, and write docs/benchmarks.md (half an hour)
	$(have_python)
	@$(PYTHON) benchmarks/run.py

bench-quick: ## the same in two minutes, shown in the terminal only
	$(have_python)
	@$(PYTHON) benchmarks/run.py --quick

docs: ## the documentation site, in build/docs/html
	$(have_python)
	@$(PYTHON) -m tools docs

drawings: ## make the drawings of docs/ from their text sources (needs Graphviz)
	@for source in docs/drawings/*.dot; do dot -Tsvg "$$source" -o "$${source%.dot}.svg"; done

wheel: ## a wheel for the interpreter and this system, in dist/
	$(have_python)
	@$(PYTHON) -m tools wheel

wheels: ## a source archive and wheels for other systems, checked and tried, in dist/; WHEEL=name makes one
	$(have_python)
	@$(PYTHON) -m tools wheels $(WHEEL)

clean: ## remove what was built
	rm -rf build dist
