"""Online deployments: `ml/deploy/*-deployment.yml`, or `ml/deploy/<folder>/*-deployment.yml`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pulumi_azureml.kinds.environment import Environment
from pulumi_azureml.kinds.model import Model
from pulumi_azureml.planning.assets import AssetId
from pulumi_azureml.planning.documents import Document
from pulumi_azureml.planning.drafts import Draft, Drafts, Use, source, use
from pulumi_azureml.planning.kind import Kind
from pulumi_azureml.planning.problems import Problem, listing, suggestion
from pulumi_azureml.planning.references import join, parse
from pulumi_azureml.planning.settings import CatalogueSettings

NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9]|-(?=[A-Za-z0-9])){1,30}[A-Za-z0-9]")
# The form of every size's name, as Azure lists them; which of them a region has, the preview asks Azure.
_SIZE = re.compile(r"Standard_[A-Z]+[0-9]+(-[0-9]+)?[a-z]*(_[A-Za-z0-9]+)*")
NAME_RULE = "use 3 to 32 letters, digits and single '-', starting with a letter and not ending with '-'"


@dataclass(frozen=True)
class CodeConfiguration:
    """The folder with the scoring code, relative to the project, and its script."""

    code: str
    scoring_script: str


@dataclass(frozen=True, kw_only=True)
class DeploymentArgs:
    """What an endpoint serves: the keys of a deployment's CLI v2 YAML.

    Attributes:
        name: the beginning of its name in Azure; the beginning of its content's hash follows.
        model: a resource, or `azureml:NAME:VERSION`, or one of a registry.
        environment: a resource, or `azureml:NAME:VERSION`; none for an MLflow model.
        code_configuration: the scoring code; none for an MLflow model or an image that serves by itself.
        instance_type: a virtual machine size, or on Kubernetes an instance type.
        instance_count: how many.
        environment_variables: of the scoring process.
        request_settings: `request_timeout_ms`, `max_concurrent_requests_per_instance`, `max_queue_wait_ms`.
        liveness_probe: `initial_delay`, `period`, `timeout`, `success_threshold`, `failure_threshold`.
        readiness_probe: as `liveness_probe`.
        scale_settings: `{"type": "default"}`, or on Kubernetes `target_utilization`.
        type: `managed` or `kubernetes`.
        further: keys that are needed rarely (`resources`, `egress_public_network_access`, `data_collector`, …).
    """

    name: str
    model: Model | str | None = None
    environment: Environment | str | None = None
    code_configuration: CodeConfiguration | None = None
    instance_type: str | None = None
    instance_count: int | None = None
    environment_variables: Mapping[str, str] | None = None
    request_settings: Mapping[str, int] | None = None
    liveness_probe: Mapping[str, int] | None = None
    readiness_probe: Mapping[str, int] | None = None
    scale_settings: Mapping[str, Any] | None = None
    type: Literal["managed", "kubernetes"] | None = None
    further: Mapping[str, Any] | None = None


class DeploymentKind(Kind):
    """A deployment of a model to an endpoint. The stack's configuration picks the model's version.

    Where the YAML says `azureml:NAME` or `azureml:NAME@latest` and no version has been accepted yet, the deployment is
    checked and planned, and waits.
    """

    name = "deployment"
    loader = "load_online_deployment"
    schemas: ClassVar = {
        "managed": "_deployment.online.online_deployment:ManagedOnlineDeploymentSchema",
        "kubernetes": "_deployment.online.online_deployment:KubernetesOnlineDeploymentSchema",
    }
    # Azure changes these on a deployment that serves, without touching what serves (docs/adr/0032).
    metadata = frozenset({"description", "tags", "instance_count", "scale_settings"})

    def claims(self, path: str, _document: Document) -> bool:
        """Beside the endpoint's file."""
        return re.fullmatch(r"ml/deploy/([^/]+/)?[^/]+-deployment\.yml", path) is not None

    def schema_type(self, document: Document) -> str:
        """Managed unless it says otherwise."""
        return "kubernetes" if document.data.get("type") == "kubernetes" else "managed"

    def asset_name(self, document: Document) -> str:
        """`<endpoint>/<deployment>`."""
        return deployment_name(document)

    def check_name(self, draft: Draft) -> None:
        """Report a name that Azure refuses."""
        check_deployment_name(draft)

    def collect(self, draft: Draft, settings: CatalogueSettings) -> None:
        """Note environment, code and model; check sizes."""
        data = draft.definition
        collect_scoring(draft, settings)
        size = data.get("instance_type")
        if self.schema_type(draft.document) == "managed" and isinstance(size, str) and not _SIZE.fullmatch(size):
            fix = "use the name of a virtual machine size, such as `Standard_DS3_v2`"
            draft.problem(("instance_type",), f"'{size}' is not an instance type", fix)
        count = data.get("instance_count")
        if isinstance(count, int) and count < 1:
            draft.problem(("instance_count",), f"instance_count is {count}", "use 1 or more")

    def relate(self, draft: Draft, drafts: Drafts) -> None:
        """Come after the model."""
        relate_model(draft, drafts)

    def check(self, draft: Draft, drafts: Drafts, _settings: CatalogueSettings) -> Iterator[Problem]:
        """The endpoint and the scoring script have to be there."""
        yield from check_endpoint(draft, drafts, "endpoint")
        name = draft.id.name.partition("/")[0]
        for other in of_endpoint(name, drafts):
            if other.id < draft.id:
                yield draft.document.problem(
                    ("endpoint_name",),
                    f"endpoint '{name}' already has its deployment in {other.document.path}",
                    "keep one of the two; a changed one is rolled out beside the old one by itself",
                )
        yield from check_scoring_script(draft)


def deployment_name(document: Document) -> str:
    """Return `<endpoint>/<deployment>`: a deployment's name is unique in its endpoint only."""
    endpoint, name = document.data.get("endpoint_name"), document.data.get("name")
    return f"{endpoint}/{name}" if isinstance(endpoint, str) and isinstance(name, str) else ""


def check_deployment_name(draft: Draft) -> None:
    """Report a name that Azure refuses."""
    name = draft.id.name.partition("/")[2]
    if not NAME.fullmatch(name):
        draft.problem(("name",), f"'{name}' is not a valid deployment name", NAME_RULE)


def collect_scoring(draft: Draft, settings: CatalogueSettings) -> None:
    """Note what a deployment scores with: model, code and environment."""
    data = draft.definition
    use(draft, ("environment",), "environment", data.get("environment"))
    code = data.get("code_configuration")
    if isinstance(code, dict):
        source(draft, ("code_configuration", "code"), code.get("code"), wanted="folder")
        if code.get("code") and not code.get("scoring_script"):
            fix = "add `scoring_script:` with the name of the script in `code`"
            draft.problem(("code_configuration",), "'code_configuration' has no 'scoring_script'", fix)
    _choose_model(draft, settings)


def check_scoring_script(draft: Draft) -> Iterator[Problem]:
    """The resolved tree says whether the script is there and not ignored."""
    code = draft.definition.get("code_configuration")
    tree = draft.trees.get(("code_configuration", "code"))
    if tree is None or not isinstance(code, dict) or not isinstance(code.get("scoring_script"), str):
        return
    script = join("", code["scoring_script"])
    if all(file.path != script for file in tree.files):
        close = suggestion(script, [file.path for file in tree.files], otherwise="create it, or correct the name")
        message = f"the scoring script '{script}' is not in '{tree.path}'"
        yield draft.document.problem(("code_configuration", "scoring_script"), message, close)


def check_endpoint(draft: Draft, drafts: Drafts, kind: str) -> Iterator[Problem]:
    """The endpoint, of a kind, has to be there."""
    name = draft.definition.get("endpoint_name")
    endpoints = [each.name for each in drafts if each.kind == kind]
    if isinstance(name, str) and name not in endpoints:
        advice = suggestion(name, endpoints, otherwise=f"add an endpoint.yml; there are: {listing(endpoints)}")
        yield draft.document.problem(("endpoint_name",), f"unknown endpoint '{name}'", advice)


def _choose_model(draft: Draft, settings: CatalogueSettings) -> None:
    data = draft.definition
    endpoint, text = data.get("endpoint_name"), data.get("model")
    if isinstance(text, dict):
        use(draft, ("model",), "model", text)
        return
    written = parse(text, folder=draft.document.folder) if isinstance(text, str) else None
    if written is None or written.is_floating:
        draft.serves = written.name if written is not None else "*"
    choice = settings.models.get(endpoint) if isinstance(endpoint, str) else None
    if choice is not None and (written is None or written.is_floating):
        if written is not None and written.name != choice.name:
            fix = f"promote a version of '{written.name}', or write `model: azureml:{choice.name}@latest`"
            message = f"the configuration picks model '{choice.name}' for '{endpoint}', the YAML '{written.name}'"
            draft.problem(("model",), message, fix)
        data["model"] = choice.reference
    elif isinstance(text, str):
        draft.uses.append(Use(("model",), "model", text, may_wait=True))
    else:
        draft.waiting_for = f"a model for endpoint '{endpoint}'"


def relate_model(draft: Draft, drafts: Drafts) -> None:
    """Let a deployment come after a model that the configuration promotes and a file defines: both may be new."""
    text = draft.definition.get("model")
    written = parse(text, folder=draft.document.folder) if isinstance(text, str) else None
    if written is not None and AssetId("model", written.name) in drafts:
        draft.needs.append(AssetId("model", written.name))


def of_endpoint(endpoint: str, drafts: Drafts) -> list[Draft]:
    """Return the drafts of an endpoint's deployments."""
    return [
        draft for id_, draft in drafts.items() if id_.kind == "deployment" and id_.name.partition("/")[0] == endpoint
    ]


KIND = DeploymentKind()
