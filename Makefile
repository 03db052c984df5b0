# `make help` lists the targets. `python3 -m bootstrap` installs everything that they need. Inside the repository, it
# writes to .venv/ only (programs and packages). The local Azure keeps its state in .amlite/.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:

# What `make help` shows of the settings. A file that this one includes has its own.
#? STACK                    the stack: local, dev, staging or prod (default local)
#? AZURE                    local or real (default real, and local for the stack local)
#? TRAIN                    no deploys without training a first model (default yes)
#? PYTHON                   the Python for set-up, 3.11 or newer (default python3)
#? PYTEST                   more arguments for pytest, such as PYTEST="-k rollout"
#? TESTS                    the tests to run (default: all but the long ones)
#? AMLITE_STATE             the state folder of the local Azure (default .amlite)
#? AMLITE_DOCKER            off builds no image, even if Docker is available (default auto)

# Targets share .venv/ and .amlite/, so they run one after another, even with -j.
.NOTPARALLEL:

# Recompiling every import would double the time of each command.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
STACK ?= local
# The switch between this machine and a real subscription. The stack `local` exists on this machine only.
AZURE ?= $(if $(filter local,$(STACK)),local,real)
$(if $(filter-out local real,$(AZURE)),$(error AZURE must be `local` or `real`))
ENVIRONMENTS ?= dev staging prod
TRAIN ?= yes
NAME ?=
PYTEST ?=
# A project that was made from this one has its tests in tests/project.
TESTS ?= $(wildcard packages/*/tests tests/project tests/unit tests/integration tests/e2e)

state := $(or $(AMLITE_STATE),.amlite)
bin := .venv/bin
# The tools that set-up installed come first.
tools := env PATH="$(CURDIR)/$(bin):$$PATH"
here := $(filter local,$(AZURE))
# Commands reach a real subscription directly, and the local Azure through amlite.
through := $(tools) $(if $(here),$(bin)/amlite run --)
# On the local Azure, any stack but `local` has its stack file in a project folder in the local Azure's state.
project := $(if $(here),$(if $(filter-out local,$(STACK)),--cwd "$(state)/environments"))
release := $(bin)/release$(if $(project), $(project))
# Makes the stack's file for the local Azure, and the stack. Turns its image build off if this machine cannot build it.
fit = $(if $(here),$(bin)/amlite run -- $(bin)/python -m bootstrap.local_stack fit $(STACK) &&)
# If two commands use the same state, the second waits and says so. A shell would not pass a signal to end on.
exclusively = exec $(PYTHON) -m bootstrap --exclusive "$(state).lock" --

.PHONY: help
help: ## Show this help
	@printf 'Azure Machine Learning platforms as code.\n\nTargets:\n'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 28
	@printf '\nSettings (make up STACK=local, or in the environment):\n'
	@sed -n 's/^#? /  /p' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Install every tool that this project needs
	@$(PYTHON) -m bootstrap

.PHONY: up
up: setup ## Provision the platform, train, deploy, and score a prediction
	@$(exclusively) $(tools) sh -c '$(fit) exec $(through) $(release) up --stack $(STACK)$(if $(filter no,$(TRAIN)), --no-train)'
	@$(if $(here),$(tools) $(bin)/python -m bootstrap.local_stack hint $(STACK))

.PHONY: preview
preview: setup ## Show what `make up` would change: assets, versions, and the files that cause it
	@$(tools) sh -c '$(fit) $(through) $(release) preview --stack $(STACK)'

# Destroys the stack, then stops amlite even if that failed. Does nothing if there is no state. On the local Azure, the
# protection of `prod` would only be in the way.
unprotect := $(bin)/amlite run -- $(bin)/pulumi$(if $(project), $(project)) state unprotect --all --yes --stack
destroy = [ ! -d "$(state)" ] || { $(fit) $(unprotect) $(STACK) && \
	$(bin)/amlite run -- $(release) down --stack $(STACK) --purge --yes; code=$$?; $(bin)/amlite stop; exit $$code; }

# A target that destroys works on the local Azure only.
here_alone = $(if $(here),,$(error `make $@` works on the local Azure only; \
	destroy a real stack with: $(bin)/release down -s $(STACK)))

.PHONY: down
down: setup ## Destroy the local stack, and stop the local Azure and everything it started
	@$(here_alone)$(exclusively) $(tools) sh -c '$(destroy)'

.PHONY: environments
environments: setup ## Provision dev, staging and prod side by side on the local Azure
	@for stack in $(ENVIRONMENTS); do \
		$(MAKE) --no-print-directory up STACK=$$stack AZURE=local TRAIN=no || exit; done

.PHONY: environments-down
environments-down: setup ## Destroy them, and stop the local Azure
	@for stack in $(ENVIRONMENTS); do $(MAKE) --no-print-directory down STACK=$$stack AZURE=local || exit; done

.PHONY: clean
clean: setup ## Destroy the local stack, then delete the local Azure's state. Caches outside the repository stay
	@$(here_alone)$(exclusively) $(tools) sh -c '($(destroy)) || echo "The stack was not destroyed. Its state is deleted anyway." >&2; \
		$(bin)/amlite reset --yes'

.PHONY: test
test: setup ## Run the unit, integration and end-to-end tests
	@$(tools) $(bin)/python -m pytest -n 2 $(TESTS) $(PYTEST)

workflows = .github/workflows
azure_pipelines = .azuredevops

# `--offline` and the embedded schemas: no linter asks the network. shellcheck is not a tool of this project, so that
# actionlint finds the same on each machine.
.PHONY: lint
lint: ## Check style, format, types and CI files
	@$(PYTHON) -m bootstrap --linters
	@$(bin)/ruff check .
	@$(bin)/ruff format --check .
	@$(bin)/mypy packages/amlite/src packages/pulumi-azureml/src infra policy release bootstrap __main__.py
	@$(bin)/actionlint -shellcheck= -pyflakes= $(workflows)/*.yml
	@$(bin)/zizmor --offline --quiet --no-progress --persona=pedantic .github
	@$(bin)/check-jsonschema --quiet --builtin-schema vendor.github-workflows $(workflows)/*.yml
	@$(bin)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(bin)/check-jsonschema --quiet --builtin-schema vendor.azure-pipelines --data-transform azure-pipelines \
		--regex-variant nonunicode $(azure_pipelines)/*.yml $(azure_pipelines)/steps/*.yml

# Targets of this repository alone: a project that was made from it has neither file.
-include examples/targets.mk tests/targets.mk
