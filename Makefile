# The commands of the README. Everything else is done with snakemake, dvc and mlflow themselves (see `make help`).
PYTHON ?= python3.11
# Only for `make env`: address of PyTorch's index of CPU wheels, see requirements/README.md.
TORCH_INDEX ?=
TESTS ?= tests
VENV := .venv/bin
export PATH := $(CURDIR)/$(VENV):$(PATH)
.DEFAULT_GOAL := help
.PHONY: help env run test bench-rebuild bench-overhead bench-ledger bench-detectors bench-language bench-endpoints \
	bench-decon bench-curate bench-scale bench-rewards bench-references bench-sandbox-load \
	lint format lock dvc.yaml docs clean

help: ## This list
	@sed -n 's/^\([a-z.-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

env: ## Create or update .venv from requirements/cpu.txt (nothing to do when it is current)
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is missing. Install it: apt-get install python3.11 python3.11-venv" >&2; exit 1; }
	@$(PYTHON) requirements/install.py $(if $(TORCH_INDEX),--torch-index $(TORCH_INDEX))

run: env ## Build what params.yaml describes: rows -> SFT -> GRPO -> report
	@python -m scripts.run

test: env ## All tests (TESTS=tests/curate for some)
	@python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(TESTS)

bench-rebuild: env ## Some 230 edits, one at a time: what must run after each, and what snakemake and dvc do
	@python -m benchmarks.rebuild

bench-overhead: env ## What judging and recording cost a build, against bare Snakemake
	@python -m benchmarks.rebuild.overhead

bench-ledger: env ## What became of a row, and of all, at 3 million rows in 900 ledgers; fails if a trace takes over 1 s
	@python -m benchmarks.ledger

bench-detectors: env ## Precision and recall of the detectors on 872 real rows labelled by hand
	@python -m benchmarks.detectors $(if $(DATA),--data $(DATA))

bench-language: env ## What a filter for English drops of real English rows and of problems in 15 other languages
	@python -m benchmarks.language $(if $(DATA),--data $(DATA))

bench-endpoints: env ## The endpoint client under faults and kills: no question lost, none answered or paid twice
	@python -m benchmarks.endpoints

bench-decon: env ## Recall and false positives of decontamination on real problems (DATA=../shared/data)
	@python -m benchmarks.curate.decontaminate $(if $(DATA),--data $(DATA))

bench-curate: env ## Duplicates and decontamination on a planted corpus, beside datatrove, rensa and others
	@python -m benchmarks.curate.peers
	@python -m benchmarks.curate $(if $(DATA),--data $(DATA))

bench-scale: env ## Curation of 0.1 to 10 million generated queries: time and memory (some 12 GB of disk for a while)
	@python -m benchmarks.curate.scale

bench-rewards: env ## Rewards: speed against a fresh interpreter per test, attacks, grader cases, IFEval; fails below its targets
	@python -m benchmarks.rewards $(if $(DATA),--data $(DATA))

bench-references: env ## Reference solutions of public problems score 1 and their mutants 0 (some 5 minutes)
	@python -m benchmarks.rewards.check_references $(if $(DATA),--data $(DATA))

bench-sandbox-load: env ## Sandbox servers killed at random under load: every submission judged once, and nothing left behind
	@python -m benchmarks.sandbox_load

lint: env ## Style, formatting and who may import whom
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile rules
	lint-imports --no-cache

format: env ## Apply the formatting that lint checks
	ruff check --fix .
	ruff format .
	snakefmt Snakefile rules

lock: env ## Resolve requirements/cpu.in again into requirements/cpu.txt
	uv pip compile requirements/cpu.in --override requirements/overrides.txt --python-version 3.11 \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate --output-file requirements/cpu.txt

dvc.yaml: env ## Write dvc.yaml from the rules (a test says when it is stale)
	python -m amt.build export

docs: env ## Draw docs/dag.svg from the rules
	python -m amt.build draw docs/dag.svg

clean: ## Remove what a build made (data, models, eval, reports); keeps .venv, MLflow runs and the DVC cache
	rm -rf data models eval reports logs scratch .snakemake .amt
