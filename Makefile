# `make help` lists the targets. Everything they need is brought by `python3 -m bootstrap`, outside the repository
# except for .venv/ (programs and packages) and .amlite/ (the state of the embedded local Azure).

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:
# Targets share .venv/ and .amlite/: they run one after another, also under -j.
.NOTPARALLEL:

# Compiling every import anew would double the time of each command.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
STACK ?= local
PYTEST ?=
TESTS ?= packages tests/unit tests/integration tests/e2e

state := $(or $(AMLITE_STATE),.amlite)
bin := .venv/bin
# The tools that set-up brought come first.
tools := env PATH="$(CURDIR)/$(bin):$$PATH"
# A stack in a real subscription is reached directly, `local` through amlite.
through := $(tools) $(if $(filter local,$(STACK)),$(bin)/amlite run --)
# The stack `local` fits the machine it is on: it is made when missing, and builds no image where nothing can.
fit = $(if $(filter local,$(STACK)),$(bin)/amlite stack &&)
# Two at once on the same state: the second waits, and says so.
exclusively = $(PYTHON) -m bootstrap --exclusive "$(state).lock" --

.PHONY: help
help: ## Show this text
	@printf 'Azure Machine Learning platforms as code.\n\nTargets:\n'
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18
	@printf '\nSettings (make up NAME=value, or in the environment):\n'
	@printf '  STACK                    the stack to work on (local; dev and prod need a real subscription)\n'
	@printf '  PYTHON                   the Python that starts set-up (python3; 3.11 or newer)\n'
	@printf '  PYTEST                   more arguments for pytest, for example PYTEST="-k rollout"\n'
	@printf '  TESTS                    which tests (packages tests/unit tests/integration tests/e2e)\n'
	@printf '  AMLITE_STATE             where the local Azure keeps its state (.amlite)\n'
	@printf '  AZUREML_PLATFORM_DOCKER  auto, or off: build no image even where Docker could\n'

.PHONY: setup
setup: ## Bring every tool this project needs; does nothing when all is there
	@$(PYTHON) -m bootstrap

.PHONY: up
up: setup ## From nothing to a scored prediction: provision, train, deploy, score
	@$(exclusively) $(tools) sh -c '$(fit) $(through) $(bin)/release up --stack $(STACK)'
	@$(if $(filter local,$(STACK)),$(bin)/amlite hint)

.PHONY: preview
preview: setup ## Show what `make up` would change: each asset, old and new version, and the files why
	@$(tools) sh -c '$(fit) $(through) $(bin)/release preview --stack $(STACK)'

# Destroys the stack, then stops amlite also when that failed; does not start it only to find that there is nothing.
destroy = [ ! -d "$(state)" ] || { $(bin)/amlite run -- $(bin)/release down --stack local --yes; \
	code=$$?; $(bin)/amlite stop; exit $$code; }

# STACK given to a target that destroys means another stack than the one that would go.
local_alone = $(if $(filter-out local,$(STACK)),$(error `make $@` is for the stack local alone; \
	a real one is destroyed with: $(bin)/pulumi destroy -s $(STACK)))

.PHONY: down
down: setup ## Destroy the local stack and stop the local Azure with everything it started
	@$(local_alone)$(exclusively) $(tools) sh -c '$(destroy)'

.PHONY: clean
clean: setup ## The same, then forget the local Azure's state; caches outside the repository stay
	@$(local_alone)$(exclusively) $(tools) sh -c '($(destroy)) || echo "The stack was not destroyed; its state goes anyway." >&2; \
		$(bin)/amlite reset --yes'

.PHONY: test
test: setup ## Run unit, conformance and end-to-end tests
	@$(tools) $(bin)/python -m pytest -n 2 $(TESTS) $(PYTEST)

.PHONY: lint
lint: setup ## Check style, format and types
	@$(bin)/ruff check .
	@$(bin)/ruff format --check .
	@$(bin)/mypy packages/amlite/src packages/pulumi-azureml/src infra release bootstrap __main__.py

.PHONY: bench
bench: setup ## Measure the figures that the project promises
	@$(tools) $(bin)/python -m tests.bench
