"""The platform: typed settings, component resources, the plan of the assets, and the stack outputs."""

# The project's name in Pulumi.yaml, and the namespace of its settings.
NAMESPACE = "azureml-platform"

# The beginning of the message about changed names, and the environment variable that turns this warning into an error.
RENAMES = "Names have changed, so this update would delete these resources and create new, empty ones:"
REFUSE_RENAMES = "AZUREML_PLATFORM_REFUSE_RENAMES"

# The environment variable that gives a new deployment all the traffic in one step, after its smoke test. `release
# rollback` sets it, because an earlier version has passed the stack's checks before.
ROLL_OUT_AT_ONCE = "AZUREML_PLATFORM_ROLL_OUT_AT_ONCE"
