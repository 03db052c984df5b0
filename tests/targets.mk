# Proofs and measurements that take minutes to hours. The Makefile includes this file.
#? POINTS, KILLS, SEED      how often `make chaos` begins (default 200), its kills each time (default 1), and what selects them
#? FAULTS                   mixed or expired: the faults of `make chaos`, in POINTS releases (default 10)

stack_file = $(if $(project),$(state)/environments/)Pulumi.$(STACK).yaml

.PHONY: acceptance
acceptance: setup ## Deploy a stack, train, roll out, destroy it, and write a report for an issue
	@$(exclusively) $(tools) sh -c '$(fit) exec $(through) $(bin)/python -m tests.acceptance --stack $(STACK) --stack-file "$(stack_file)"'

.PHONY: release-demo
release-demo: setup ## Play a month of releases on the local Azure, in a clone: from a pull request to production
	@$(tools) $(bin)/python -m tests.release_demo

SEED ?= 1
KILLS ?= 1
# Kills by default. With FAULTS, whole releases while a share of all requests fails.
FAULTS ?=
POINTS ?= $(if $(FAULTS),10,200)

.PHONY: chaos
chaos: setup ## Kill parts of a release at random moments, or let requests fail (FAULTS=mixed or expired): POINTS=200 KILLS=1 SEED=1
	@$(tools) $(bin)/python -m tests.chaos$(if $(FAULTS),.faults --kind $(FAULTS), --kills $(KILLS)) --points $(POINTS) --seed $(SEED)

ATTACK ?=

.PHONY: attack
attack: setup ## Attack the local Azure: hostile requests to every route (ATTACK="--seed 2"), and the attack tests
	@$(tools) env PYTHONPATH=packages/amlite/tests $(bin)/python -m fuzzing $(ATTACK)
	@$(tools) $(bin)/python -m pytest -n 0 -m attack -v packages tests/unit $(PYTEST)

.PHONY: bench
bench: setup ## Run the benchmarks
	@$(tools) $(bin)/python -m tests.bench
