"""The compiled pipeline and its recurring runs as resources of the stack."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi
import yaml
from pipeline_runner import document, values
from pipeline_runner.errors import RunnerError
from pulumi_azure_native import storage

from infra.platform import Platform
from infra.roles.propagation import waits_for_roles
from stored.documents import CONTAINER
from stored.provider import Document
from stored.settings import DeclaredRun, RecurringRun

PLACEHOLDER = "image://"
# A run gets these from the stack's outputs.
FROM_STACK = frozenset(
    {"subscription_id", "resource_group", "workspace", "endpoint", "environment", "pipeline_version", "sizes"}
)


@dataclass(frozen=True, kw_only=True)
class PipelinesArgs:
    """Inputs of `Pipelines`: the file that the Kubeflow SDK wrote, and the names of the cluster's claims."""

    platform: Platform
    compiled: Path
    claims: Collection[str]
    runs: Sequence[DeclaredRun]
    recurring: Sequence[RecurringRun]
    requires: Sequence[pulumi.Resource] = ()


class Pipelines(pulumi.ComponentResource):
    """The compiled pipeline with the stack's images, and its recurring runs, in the workspace's storage account.

    The version is a hash of the compiled pipeline, so that a changed step or image is another version.

    Outputs: `pipeline`, with the keys `name`, `version` and `url`; `recurring`, the addresses by their names.
    """

    pipeline: pulumi.Output[dict[str, str]]
    recurring: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: PipelinesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tacos-burritos:stored:Pipelines", name, None, opts)
        platform = args.platform
        template = args.compiled.read_text("utf-8")
        checked = check(template, args.claims, {"runs": args.runs, "recurringRuns": args.recurring})
        account = platform.program.names.storage_account
        container = storage.BlobContainer(
            f"{name}-container",
            account_name=account,
            container_name=CONTAINER,
            resource_group_name=platform.place.resource_group,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[platform.storage]),
        )
        images = {
            asset.name: pulumi.Output.concat(
                image.reference.apply(lambda reference: reference.partition("@")[0]),
                f":{asset.build.tag}@",
                image.reference.apply(lambda reference: reference.partition("@")[2]),
            )
            for asset in platform.program.plan.of("environment")
            if asset.build and (image := platform.images.get(asset.path))
        }
        inside = pulumi.ResourceOptions(
            parent=self,
            depends_on=[container, *platform.access.people, *args.requires],
            hooks=waits_for_roles(name),
        )
        # Not Output.all: without images, it would return a list.
        text = pulumi.Output.from_input(images).apply(lambda found: filled(template, found))
        version = text.apply(document.version_of)
        stored = Document(
            f"{name}-{checked.name}",
            account=account,
            path=pulumi.Output.concat("pipelines/", checked.name, "/", version, ".yaml"),
            content=text,
            opts=inside,
        )
        self.pipeline = pulumi.Output.all(name=checked.name, version=version, url=stored.url)
        self.recurring = {
            each.name: Document(
                f"{name}-recurring-{each.name}",
                account=account,
                path=f"recurring-runs/{each.name}.yaml",
                content=yaml.safe_dump(each.model_dump()),
                opts=inside,
            ).url
            for each in args.recurring
        }
        self.register_outputs({"pipeline": self.pipeline})

    def export(self) -> None:
        """Export where the pipeline and its recurring runs are."""
        pulumi.export("pipeline", self.pipeline)
        pulumi.export("recurring_runs", self.recurring)


def filled(template: str, images: Mapping[str, str]) -> str:
    """Return a compiled pipeline with images in place of its placeholders. Those without an image stay."""
    documents = list(yaml.safe_load_all(template))
    for executor in documents[0]["deploymentSpec"]["executors"].values():
        container = executor["container"]
        step = container["image"].removeprefix(PLACEHOLDER)
        container["image"] = images.get(step, container["image"])
    return yaml.safe_dump_all(documents, sort_keys=True)


def check(
    template: str, claims: Collection[str], runs: Mapping[str, Sequence[DeclaredRun | RecurringRun]]
) -> document.Pipeline:
    """Return the pipeline if it can run, and if the runs, by their keys in the stack file, have its parameters.

    Raises:
        pulumi.RunError: It mounts a volume that the cluster does not have, or a run does not fit.
    """
    try:
        pipeline = document.read(template)
    except RunnerError as error:
        raise pulumi.RunError(str(error)) from error
    problems = [
        f"the pipeline mounts the claim '{name}', which the cluster does not have; it has: {', '.join(sorted(claims))}"
        for name in sorted(pipeline.claims - set(claims))
    ]
    given = {name: each for name, each in pipeline.parameters.items() if name not in FROM_STACK}
    for key, each in runs.items():
        for index, run in enumerate(each):
            try:
                values.arguments(given, run.parameters)
            except RunnerError as error:
                problems.append(f"tacos-burritos:{key}[{index}].parameters: {error}")
    if problems:
        raise pulumi.RunError("\n".join(problems))
    return pipeline
