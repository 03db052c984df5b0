# The examples. The Makefile includes this file.
#? NAME                     the example: a folder of examples/
#? WALKTHROUGH              more arguments for the example, such as WALKTHROUGH="--help"

# An example has no stack `local`: its stack on the local Azure is `dev`.
example_stack = $(or $(filter-out local,$(STACK)),dev)
example = $(or $(NAME),$(error name a folder of examples/, such as `make $@ NAME=automl-container`))
example_folder = $(if $(here),$(state)/examples/$(example),examples/$(example))
fit_example = $(if $(here),$(bin)/amlite run -- $(bin)/python -m bootstrap.local_stack fit $(example_stack) \
	--example $(example) &&)

.PHONY: example
example: setup ## Bring up an example and run it to its end: make example NAME=<a folder of examples/>
	@$(exclusively) $(tools) sh -c '$(fit_example) $(through) $(bin)/release --cwd "$(example_folder)" up \
		--stack $(example_stack) --no-train && $(through) $(bin)/python examples/$(example)/walkthrough.py \
		--cwd "$(example_folder)" --stack $(example_stack) $(WALKTHROUGH)'

.PHONY: example-down
example-down: setup ## Destroy an example, and stop the local Azure
	@$(here_alone)$(exclusively) $(tools) sh -c '$(fit_example) $(bin)/amlite run -- $(bin)/release \
		--cwd "$(example_folder)" down --stack $(example_stack) --purge --yes; code=$$?; $(bin)/amlite stop; exit $$code'

# A cluster stays as it was created, so this one has a local Azure of its own.
kubernetes = AMLITE_KUBERNETES=real AMLITE_STATE="$(state)/real-kubernetes" $(MAKE) --no-print-directory NAME=tacos-burritos

.PHONY: kubernetes
kubernetes: setup ## Run the Kubeflow example on a real Kubernetes, built once from Go modules (minutes, needs root)
	@$(here_alone)$(bin)/amlite tools --with kubernetes
	@$(kubernetes) example WALKTHROUGH="--engine jobs"

.PHONY: kubernetes-down
kubernetes-down: setup ## Destroy it, and stop its local Azure
	@$(here_alone)$(kubernetes) example-down
