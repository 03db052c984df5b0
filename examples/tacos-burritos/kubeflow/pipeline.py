"""The pipeline, written with the Kubeflow SDK. `python kubeflow/pipeline.py` compiles it to `tacos-burritos.yaml`.

The compiled file is in the repository, so only authors of the pipeline need the SDK (requirements.txt). Its images are
placeholders, `image://<step>`: the stack replaces them with the images that it builds and pushes.
"""

from pathlib import Path

from kfp import compiler, dsl, kubernetes

CLAIM = "azure-managed-disk"
MOUNT = "/mnt/azure"
IDENTITY_LABEL = "azure.workload.identity/use"
EXECUTOR_INPUT = "{{$}}"
COMPILED = Path(__file__).with_name("tacos-burritos.yaml")


def command(step: str) -> list[str]:
    """Return the command of a step's image."""
    return ["python", f"/app/{step}.py"]


@dsl.container_component
def preprocess(
    count: int, seed: int, run: str, folder: dsl.OutputPath(str), summary: dsl.Output[dsl.Artifact]
) -> dsl.ContainerSpec:
    """Draw the pictures onto the volume."""
    return dsl.ContainerSpec(
        image="image://preprocess",
        command=command("preprocess"),
        args=[
            *("--volume", MOUNT, "--run", run, "--count", count, "--seed", seed),
            *("--folder", folder, "--summary", summary.path),
        ],
    )


@dsl.container_component
def train(
    pictures: str, held_out: str, model: dsl.Output[dsl.Model], metrics: dsl.Output[dsl.Metrics]
) -> dsl.ContainerSpec:
    """Train the model, and measure it on styles that it does not know."""
    return dsl.ContainerSpec(
        image="image://train",
        command=command("train"),
        args=[
            *("--pictures", pictures, "--held_out", held_out),
            *("--model", model.path, "--metrics", metrics.path, "--executor_input", EXECUTOR_INPUT),
        ],
    )


@dsl.container_component
def register(
    subscription_id: str,
    resource_group: str,
    workspace: str,
    model_name: str,
    run: str,
    pipeline_version: str,
    model: dsl.Input[dsl.Model],
    metrics: dsl.Input[dsl.Metrics],
    version: dsl.OutputPath(str),
) -> dsl.ContainerSpec:
    """Register the model in the Azure Machine Learning workspace."""
    return dsl.ContainerSpec(
        image="image://register",
        command=command("register"),
        args=[
            *("--subscription_id", subscription_id, "--resource_group", resource_group, "--workspace", workspace),
            *("--model", model.path, "--metrics", metrics.path, "--model_name", model_name),
            *("--run", run, "--pipeline_version", pipeline_version, "--version", version),
        ],
    )


@dsl.container_component
def profile(
    sizes: list,
    target_ms: float,
    model: dsl.Input[dsl.Model],
    instance_type: dsl.OutputPath(str),
    table: dsl.Output[dsl.Artifact],
) -> dsl.ContainerSpec:
    """Measure the model, and select an instance size."""
    return dsl.ContainerSpec(
        image="image://profile",
        command=command("profile_model"),
        args=[
            *("--model", model.path, "--sizes", sizes, "--target_ms", target_ms),
            *("--instance_type", instance_type, "--table", table.path),
        ],
    )


@dsl.container_component
def deploy(
    subscription_id: str,
    resource_group: str,
    workspace: str,
    endpoint: str,
    environment: str,
    model_name: str,
    model_version: str,
    instance_type: str,
    private_hosts: str,
    scoring_uri: dsl.OutputPath(str),
    deployment: dsl.Output[dsl.Artifact],
) -> dsl.ContainerSpec:
    """Deploy the model to the endpoint."""
    return dsl.ContainerSpec(
        image="image://deploy",
        command=command("deploy"),
        args=[
            *("--subscription_id", subscription_id, "--resource_group", resource_group, "--workspace", workspace),
            *("--endpoint", endpoint, "--environment", environment, "--model_name", model_name),
            *("--model_version", model_version, "--instance_type", instance_type),
            *("--private_hosts", private_hosts, "--scoring_uri", scoring_uri, "--deployment", deployment.path),
        ],
    )


@dsl.pipeline(name="tacos-burritos", description="From drawings to an endpoint that tells tacos from burritos.")
def tacos_burritos(
    subscription_id: str,
    resource_group: str,
    workspace: str,
    endpoint: str,
    environment: str,
    pipeline_version: str,
    sizes: list,
    model_name: str = "tacos-burritos",
    pictures_per_drawing: int = 30,
    seed: int = 7,
    held_out: str = "openmoji",
    target_ms: float = 2000.0,
    private_hosts: str = "",
) -> None:
    """Preprocess, train, register, profile and deploy."""
    place = {"subscription_id": subscription_id, "resource_group": resource_group, "workspace": workspace}
    prepared = preprocess(count=pictures_per_drawing, seed=seed, run=dsl.PIPELINE_JOB_ID_PLACEHOLDER)
    trained = train(pictures=prepared.outputs["folder"], held_out=held_out)
    registered = register(
        **place,
        model_name=model_name,
        run=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
        pipeline_version=pipeline_version,
        model=trained.outputs["model"],
        metrics=trained.outputs["metrics"],
    )
    profiled = profile(sizes=sizes, target_ms=target_ms, model=trained.outputs["model"]).after(registered)
    deployed = deploy(
        **place,
        endpoint=endpoint,
        environment=environment,
        model_name=model_name,
        model_version=registered.outputs["version"],
        instance_type=profiled.outputs["instance_type"],
        private_hosts=private_hosts,
    )
    for task in (prepared, trained, registered, profiled, deployed):
        # Every run draws, trains and deploys: the steps act on Azure, which a cache does not know.
        task.set_caching_options(enable_caching=False)
        task.set_memory_limit("2Gi")
    for task in (prepared, trained):
        kubernetes.mount_pvc(task, pvc_name=CLAIM, mount_path=MOUNT)
    for task in (registered, deployed):
        kubernetes.add_pod_label(task, IDENTITY_LABEL, "true")


if __name__ == "__main__":
    compiler.Compiler().compile(tacos_burritos, str(COMPILED))
