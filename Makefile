# Two commands: `make demo` and `make test`. Each does its own set-up, once.
VENV ?= .venv
RUN ?= demo-run
WORKERS ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
# Benchmark files (JSONL) that the demo's problems may not overlap, where there are any.
BENCHMARKS ?= $(wildcard $(or $(PROMPTCOT_DATA),../shared/data)/benchmarks/*.jsonl)
PROMPTCOT = $(VENV)/bin/promptcot

.PHONY: help demo test check format setup clean
help:            ## Say what there is
	@grep -E '^[a-z]+: .*##|^[a-z]+:  +##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

$(VENV)/.ready: pyproject.toml constraints.txt scripts/setup.sh
	scripts/setup.sh $(VENV)
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	scripts/setup.sh $(VENV) dev
	@touch $@

setup: $(VENV)/.ready-dev   ## Make the virtual environment, with what development needs

demo: $(VENV)/.ready    ## The whole road: concepts to data to a trained, scored model
	rm -rf $(RUN)
	$(PROMPTCOT) generate $(RUN) --config examples/demo.yaml --workers $(WORKERS) $(addprefix --benchmark ,$(BENCHMARKS))
	$(PROMPTCOT) train $(RUN) --model nano --recipe small
	$(PROMPTCOT) evaluate $(RUN)
	$(PROMPTCOT) report $(RUN)

check: $(VENV)/.ready-dev   ## Lint, types and the floors
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

test: check             ## Everything CI runs
	$(VENV)/bin/pytest -n auto

format: $(VENV)/.ready-dev  ## Put the code into the house's form
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

clean:           ## Remove what the commands made
	rm -rf $(VENV) $(RUN) runs .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
