# `make help` lists the targets. `python3 -m bootstrap` installs everything that they need. Inside the repository, it
# writes to .venv/ only (programs and packages). The local Azure keeps its state in .amlite/.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:
# Targets share .venv/ and .amlite/, so they run one after another, even with -j.
.NOTPARALLEL:

# Recompiling every import would double the time of each command.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
STACK ?= local
PYTEST ?=
TESTS ?= packages tests/unit tests/integration tests/e2e

state := $(or $(AMLITE_STATE),.amlite)
bin := .venv/bin
# The tools that set-up installed come first.
tools := env PATH="$(CURDIR)/$(bin):$$PATH"
# Commands reach a stack in a real subscription directly, and the stack `local` through amlite.
through := $(tools) $(if $(filter local,$(STACK)),$(bin)/amlite run --)
# Creates the stack `local` if it is missing, and turns its image build off if this machine cannot build images.
fit = $(if $(filter local,$(STACK)),$(bin)/amlite run -- $(bin)/python -m bootstrap.local_stack fit &&)
# If two commands use the same state, the second waits and says so.
exclusively = $(PYTHON) -m bootstrap --exclusive "$(state).lock" --

.PHONY: help
help: ## Show this help
	@printf 'Azure Machine Learning platforms as code.\n\nTargets:\n'
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18
	@printf '\nSettings (make up NAME=value, or in the environment):\n'
	@printf '  STACK                    the stack (default local; dev and prod need a real subscription)\n'
	@printf '  PYTHON                   the Python for set-up, 3.11 or newer (default python3)\n'
	@printf '  PYTEST                   more arguments for pytest, such as PYTEST="-k rollout"\n'
	@printf '  TESTS                    the tests to run (default packages tests/unit tests/integration tests/e2e)\n'
	@printf '  AMLITE_STATE             the state folder of the local Azure (default .amlite)\n'
	@printf '  AMLITE_DOCKER            off builds no image, even if Docker is available (default auto)\n'

.PHONY: setup
setup: ## Install every tool that this project needs
	@$(PYTHON) -m bootstrap

.PHONY: up
up: setup ## Provision the platform, train, deploy, and score a prediction
	@$(exclusively) $(tools) sh -c '$(fit) $(through) $(bin)/release up --stack $(STACK)'
	@$(if $(filter local,$(STACK)),$(tools) $(bin)/python -m bootstrap.local_stack hint)

.PHONY: preview
preview: setup ## Show what `make up` would change: assets, versions, and the files that cause it
	@$(tools) sh -c '$(fit) $(through) $(bin)/release preview --stack $(STACK)'

# Destroys the stack, then stops amlite even if that failed. Does nothing if there is no state.
destroy = [ ! -d "$(state)" ] || { $(bin)/amlite run -- $(bin)/release down --stack local --purge --yes; \
	code=$$?; $(bin)/amlite stop; exit $$code; }

# A target that destroys works on the stack `local` only, so it refuses any other STACK.
local_alone = $(if $(filter-out local,$(STACK)),$(error `make $@` works on the stack local only; \
	destroy a real stack with: $(bin)/release down -s $(STACK)))

.PHONY: down
down: setup ## Destroy the local stack, and stop the local Azure and everything it started
	@$(local_alone)$(exclusively) $(tools) sh -c '$(destroy)'

.PHONY: clean
clean: setup ## The same, then delete the local Azure's state. Caches outside the repository stay
	@$(local_alone)$(exclusively) $(tools) sh -c '($(destroy)) || echo "The stack was not destroyed. Its state is deleted anyway." >&2; \
		$(bin)/amlite reset --yes'

.PHONY: test
test: setup ## Run the unit, integration and end-to-end tests
	@$(tools) $(bin)/python -m pytest -n 2 $(TESTS) $(PYTEST)

.PHONY: lint
lint: setup ## Check style, format and types
	@$(bin)/ruff check .
	@$(bin)/ruff format --check .
	@$(bin)/mypy packages/amlite/src packages/pulumi-azureml/src infra release bootstrap __main__.py

.PHONY: bench
bench: setup ## Run the benchmarks
	@$(tools) $(bin)/python -m tests.bench
