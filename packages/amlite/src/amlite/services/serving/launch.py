"""The launch of a model server, stored so that the server can be started again after amlite restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

from amlite.core import contained, disk
from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.machinelearning import endpoints, references
from amlite.services.managedidentity import identities
from amlite.services.registries import access as registry_access
from amlite.services.serving import custom, no_code, settings
from amlite.services.serving.custom import MOUNT, Image
from amlite.services.serving.settings import Probe
from amlite.services.storage import accounts, blobs

_PROBES = ("readinessProbe", "livenessProbe")
# The inference server listens on a port of every interface and has no option for it. Here it listens on a socket, which
# other users and jobs cannot reach. Newer gunicorns also listen on a socket in the user's home that all of them share.
_START = """
import os, sys
from azureml_inference_server_http import amlserver
from gunicorn import config
from gunicorn.app import wsgiapp
socket = sys.argv.pop(1)
class Application(wsgiapp.WSGIApplication):
    def load_config(self):
        super().load_config()
        self.cfg.set("bind", ["unix:" + socket])
wsgiapp.WSGIApplication = Application
if hasattr(config, "ControlSocketDisable"):
    os.environ["GUNICORN_CMD_ARGS"] = os.environ.get("GUNICORN_CMD_ARGS", "") + " --no-control-socket"
amlserver.run()
"""
# Variables of the deploying application and its tools, which a model server does not inherit.
_NOT_FOR_SERVERS = ("AZURE_", "ARM_", "PULUMI_", "AMLITE_", "DOCKER_")


@dataclass(frozen=True)
class Launch:
    """A server's name (never reused), its folder with code and model, environment, size and identity.

    Without `environment_id`, the model is an MLflow model in the folder `mlflow`, which lists its requirements.
    `container` is the environment's own server (`custom.Image`), if it has one. `liveness` is its `settings.Probe`.
    """

    name: str
    folder: str
    environment_id: str | None
    script: str
    model: str | None
    workers: int
    object_id: str
    client_id: str
    variables: dict[str, str]
    start_timeout: float = Probe().start_timeout
    mlflow: str | None = None
    container: Json | None = None
    probe_timeout: float = 2.0
    liveness: Json = field(default_factory=dict)

    @classmethod
    def stored(cls, body: Json) -> Launch:
        """Return the launch that `json` returned, perhaps in another version of amlite."""
        return cls(**{each.name: body[each.name] for each in fields(cls) if each.name in body})

    @property
    def custom(self) -> Image | None:
        """The custom container that serves, or None."""
        return Image(**self.container) if self.container else None

    @property
    def principal(self) -> Principal:
        """The principal that the server acts as."""
        return Principal(self.object_id, self.client_id)

    @property
    def code(self) -> Path:
        """The folder with the scoring script, its working directory."""
        return Path(self.folder) / "code"

    def arguments(self, socket: Path) -> list[str]:
        """The command line. The interpreter is found in the environment."""
        options = ["--entry_script", str(self.code / self.script), "--worker_count", str(self.workers)]
        return ["python", "-c", _START, str(socket), *options]

    def environment(self, platform: Platform) -> dict[str, str]:
        """The variables that Azure gives a scoring script, those of amlite's proxy, and the endpoint's identity."""
        reaching = {
            name: value for name, value in platform.environment.items() if not name.startswith(_NOT_FOR_SERVERS)
        }
        code, model = str(self.code), self.model
        if (image := self.custom) is not None:
            code = f"{MOUNT}/code"
            if model:
                model = f"{image.mount}/{Path(model).relative_to(self.folder).as_posix()}"
        models = {"AZUREML_MODEL_DIR": model} if model else {}
        if self.mlflow:
            models["MLFLOW_MODEL_FOLDER"] = Path(self.mlflow).name
        return {
            **reaching,
            **identities.environment(platform, self.principal, self.name),
            "AML_APP_ROOT": code,
            "AZUREML_ENTRY_SCRIPT": self.script,
            **models,
            **self.variables,
        }

    async def discard(self, platform: Platform) -> None:
        """Delete the files of a server that has ended, and let it sign in no more."""
        identities.forget(platform, self.name)
        await asyncio.to_thread(disk.delete, Path(self.folder))

    def json(self) -> Json:
        """Return the launch as JSON, for `stored`."""
        return asdict(self)


def launched_from(deployment: Json) -> Json:
    """Return the parts of a deployment's body that determine its server. If they do not change, it keeps running."""
    names = (
        *("codeConfiguration", "model", "modelMountPath", "environmentId", "environmentVariables", "dataCollector"),
        *_PROBES,
        "template",
    )
    return {"instances": settings.instances(deployment), **{name: deployment["properties"].get(name) for name in names}}


async def gather(platform: Platform, endpoint: Json, deployment: Json, log: Callable[[str], None]) -> Launch:
    """Download a deployment's code and model as the endpoint's identity.

    The model is in the folder in which Azure mounts it: `AZUREML_MODEL_DIR/<last part of its path>`. Raises AzureError.
    """
    properties = deployment["properties"]
    workspace_id = endpoint["id"].rsplit("/", 2)[0]
    principal = endpoints.principal_of(platform, endpoint)
    generation = platform.store.next("serving/generation")
    name = f"serving-{endpoint['name']}-{deployment['name']}-{generation}"
    folder = platform.state / "serving" / name
    code = properties.get("codeConfiguration")
    readiness = settings.readiness(properties)
    environment = None
    if properties.get("environmentId"):
        environment = references.asset(platform, workspace_id, properties["environmentId"], "environments")
    template = properties.get("template")
    if template:
        name_of_registry = template["id"].split("/")[3]
        _require_assets(platform, principal, references.registry(platform, name_of_registry))
    image = custom.of(environment.body["properties"], template) if environment else None
    if image is not None and properties.get("modelMountPath"):
        image = replace(image, mount=str(properties["modelMountPath"]).rstrip("/"))
    model, mlflow = None, None
    try:
        if code:
            source = _readable(
                platform, principal, references.location(platform, workspace_id, code["codeId"], "codes")
            )
            await blobs.download_tree(platform, source, folder / "code")
            if not contained.is_file(folder / "code" / code["scoringScript"], folder / "code"):
                raise AzureError(
                    400,
                    "BadArgument",
                    f"codeConfiguration.scoringScript: there is no '{code['scoringScript']}' in the code.",
                )
        elif image is None:
            no_code.write_script(folder / "code")
        if properties.get("model"):
            asset = references.asset(platform, workspace_id, properties["model"], "models")
            *_, model_name, _, version = asset.id.split("/")
            source = _readable(platform, principal, references.location(platform, workspace_id, asset.id, "models"))
            root = folder / "azureml-models" / model_name / version
            is_file = await blobs.exists(platform, source)
            log(f"downloading model {model_name}:{version} from {source.url}")
            await blobs.download_tree(platform, source, root if is_file else root / source.name)
            model = str(root)
            mlflow = None if code or image else str(root / source.name)
    except BaseException:
        disk.delete(folder)
        raise
    return Launch(
        name=name,
        folder=str(folder),
        environment_id=environment.id if environment else None,
        script=code["scoringScript"] if code else no_code.SCRIPT,
        model=model,
        workers=settings.instances(deployment) * (1 if image else settings.workers(properties)),
        object_id=principal.object_id,
        client_id=principal.client_id,
        variables={key: str(value) for key, value in (properties.get("environmentVariables") or {}).items()},
        start_timeout=readiness.start_timeout,
        mlflow=mlflow,
        container=image.json() if image else None,
        probe_timeout=readiness.timeout,
        liveness=asdict(settings.liveness(properties)),
    )


def _readable(platform: Platform, principal: Principal, source: blobs.BlobPath) -> blobs.BlobPath:
    """Return the path if the endpoint's identity may read it; raises AzureError as Azure's start-up task does."""
    if (registry := registry_access.owner_of(platform, source.account)) is not None:
        _require_assets(platform, principal, registry)
        return source
    if not accounts.may(platform, principal, source.account, source.container, "read"):
        raise AzureError(
            403,
            "BadArgument",
            f"Startup task failed due to authorization error: the endpoint's identity (object id "
            f"{principal.object_id}) may not read {source.url}. Give it the role "
            f"'Storage Blob Data Reader' on the storage account '{source.account}'.",
        )
    return source


def _require_assets(platform: Platform, principal: Principal, registry: Document) -> None:
    if not registry_access.may_read(platform, registry, principal):
        raise AzureError(
            403,
            "BadArgument",
            f"Startup task failed due to authorization error: the endpoint's identity (object id "
            f"{principal.object_id}) may not read the assets of registry '{registry.body['name']}'. Give it the role "
            f"'{registry_access.ROLE}' on the registry.",
        )
