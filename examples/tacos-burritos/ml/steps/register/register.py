"""Step `register`: registers the model in the Azure Machine Learning workspace, with the tags that tell its origin."""

import argparse
import hashlib
import json
import logging
import sys
from pathlib import Path

from azure.ai.ml import MLClient
from azure.ai.ml.constants import AssetTypes
from azure.ai.ml.entities import Model
from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential

log = logging.getLogger("register")


def version_of(folder: Path) -> str:
    """Return a version from the content of the model, so that the same model is registered once."""
    return hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()[:12]


def tags_of(metrics: dict[str, object], run: str, pipeline: str) -> dict[str, str]:
    """Return the origin of a model as tags, which are text."""
    figures = ("accuracy_mean", "accuracy_spread", "accuracy_worst", "accuracy_held_out", "held_out", "pictures_sha256")
    return {
        "pipeline_run": run,
        "pipeline_version": pipeline,
        **{name: str(metrics[name]) for name in figures},
        **{f"accuracy_{style}": str(value) for style, value in dict(metrics["accuracy_by_held_out_style"]).items()},
    }


def main() -> None:
    """Register the model if the workspace does not have this version."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stdout)
    logging.getLogger("azure").setLevel(logging.WARNING)
    arguments = parse_arguments()
    metrics = json.loads(arguments.metrics.read_text("utf-8"))
    version = version_of(arguments.model)
    try:
        with DefaultAzureCredential() as credential:
            ml = MLClient(credential, arguments.subscription_id, arguments.resource_group, arguments.workspace)
            register(ml, arguments, version, metrics)
    except AzureError as error:
        sys.exit(f"register: {error}")
    arguments.version.parent.mkdir(parents=True, exist_ok=True)
    arguments.version.write_text(version, "utf-8")


def register(ml: MLClient, arguments: argparse.Namespace, version: str, metrics: dict[str, object]) -> None:
    """Create the version, or leave it as it is."""
    name = arguments.model_name
    try:
        ml.models.get(name, version)
    except ResourceNotFoundError:
        ml.models.create_or_update(
            Model(
                name=name,
                version=version,
                path=str(arguments.model),
                type=AssetTypes.CUSTOM_MODEL,
                description="Tells drawings of tacos from drawings of burritos. Not tested on photographs.",
                tags=tags_of(metrics, arguments.run, arguments.pipeline_version),
            )
        )
        log.info("registered %s version %s", name, version)
    else:
        log.info("%s version %s is registered already", name, version)


def parse_arguments() -> argparse.Namespace:
    """Parse the command line in kubeflow/pipeline.py."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscription_id", required=True)
    parser.add_argument("--resource_group", required=True)
    parser.add_argument("--workspace", required=True)
    parser.add_argument("--model", type=Path, required=True, help="folder that train wrote")
    parser.add_argument("--metrics", type=Path, required=True, help="metrics that train wrote")
    parser.add_argument("--model_name", required=True, help="name of the registered model")
    parser.add_argument("--run", required=True, help="id of the pipeline's run")
    parser.add_argument("--pipeline_version", required=True, help="version of the compiled pipeline")
    parser.add_argument("--version", type=Path, required=True, help="output: the registered version")
    return parser.parse_args()


if __name__ == "__main__":
    main()
