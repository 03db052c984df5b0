"""Promote the models that one stack serves to another stack, by its configuration alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from infra import NAMESPACE
from infra.outputs import ModelOutput, StackOutputs
from release.assets.sharing import ORIGIN_TAG, RegistrySharing
from release.configuration import excluded, group, promoted
from release.endpoints import copied
from release.errors import ReleaseError
from release.promotion.registry import find_model, out_of_reach
from release.stack import PulumiStack
from release.workspace import client, registry_client


@dataclass(frozen=True)
class Promotion:
    """A model version in a registry for an endpoint, and whether the target's configuration already has it."""

    endpoint: str
    model: ModelOutput
    is_there: bool


@dataclass(frozen=True)
class Promoter:
    """Promotes from one stack to another.

    Attributes:
        source: Name of the stack that serves the models now.
        outputs: Outputs of that stack.
        target: The stack whose configuration is written.
        share: Copy a version of the source's workspace to the target's registry if it is not there.
        say: Takes each line of progress.
    """

    source: str
    outputs: StackOutputs
    target: PulumiStack
    share: bool
    say: Callable[[str], None]

    def promote(self, endpoint: str | None) -> list[Promotion]:
        """Write the promoted models of an endpoint (None: of all) once the target can read each of them.

        Raises:
            ReleaseError: There is nothing to promote, or the target cannot read a version. Nothing was written.
        """
        config = self.target.config()
        wanted = self._wanted(config, endpoint)
        registry = group(config, "sharing").get("registry")
        known = group(config, "models")
        found = []
        for name, model in wanted.items():
            shared = self._readable(model, registry)
            found.append(Promotion(name, shared, is_there=promoted(known.get(name)) == shared))
        for each in found:
            if not each.is_there:
                self.target.promote(each.endpoint, each.model)
        return found

    def _wanted(self, config: Mapping[str, Any], endpoint: str | None) -> dict[str, ModelOutput]:
        """Return the models to promote, by endpoint."""
        models = self.outputs.models
        if endpoint is not None and endpoint not in self.outputs.endpoints:
            known = ", ".join(self.outputs.endpoints) or "none"
            raise ReleaseError(f"stack '{self.source}' has no endpoint '{endpoint}'; it has: {known}")
        if not models or (endpoint is not None and endpoint not in models):
            what = f"endpoint '{endpoint}' of stack '{self.source}'" if endpoint else f"stack '{self.source}'"
            raise ReleaseError(
                f"{what} has no promoted model",
                fix=f"release train --stack {self.source}, and then pulumi up --stack {self.source}",
            )
        # A copy exists in its own stack only.
        models = {name: each for name, each in models.items() if name == endpoint or not copied(self.outputs, name)}
        left_out = [name for name in models if excluded(config, name)]
        if endpoint in left_out:
            key = f"{NAMESPACE}:overrides.endpoints.{endpoint}.exclude"
            raise ReleaseError(
                f"stack '{self.target.name}' leaves endpoint '{endpoint}' out",
                fix=f"pulumi config rm --path '{key}' -s {self.target.name}",
            )
        for name in left_out:
            self.say(f"endpoint {name}: left out of stack {self.target.name}")
        names = [endpoint] if endpoint is not None else [name for name in models if name not in left_out]
        return {name: models[name] for name in names}

    def _readable(self, model: ModelOutput, registry: str | None) -> ModelOutput:
        """Return a model as the target can read it: a version in the target's registry.

        Raises:
            ReleaseError: The target has no registry or another one, or the registry does not have the version.
        """
        holder = model.registry or registry
        if holder is None or holder.lower() != (registry or "").lower():
            which = f"registry '{holder}'" if holder else f"the workspace of stack '{self.source}'"
            name = holder or self.outputs.registry or "<registry>"
            raise out_of_reach(self.target.name, model, which, registry, name)
        there = find_model(self.target.name, model, holder)
        if model.registry is None:
            self._share(model, holder, there)
        elif there is None:
            raise ReleaseError(f"registry '{holder}' has no model {model.name} version {model.version}")
        else:
            self.say(f"registry {holder} has model {model.name}:{model.version}")
        return ModelOutput(name=model.name, version=model.version, registry=holder)

    def _share(self, model: ModelOutput, registry: str, there: Any) -> None:
        """Make sure that a registry's version is the one of the source's workspace.

        Raises:
            ReleaseError: The registry does not have the version or has it from another source, and `share` is false.
        """
        version = f"{model.name}:{model.version}"
        if self.share:
            workspace = client(self.outputs)
            sharing = RegistrySharing(
                workspace, registry_client(registry), registry, self.outputs.workspace_id, self.say
            )
            sharing.share("model", model.name, model.version)
            return
        origin = (there.tags or {}).get(ORIGIN_TAG) if there is not None else None
        if origin is not None and origin.lower() == self.outputs.workspace_id.lower():
            self.say(f"registry {registry} has model {version} from stack {self.source}")
            return
        if there is None:
            reason = f"model {version} is in the workspace of stack '{self.source}' only, not in registry '{registry}'"
        else:
            reason = f"registry '{registry}' has a model {version} that does not come from stack '{self.source}'"
        command = f"release share --stack {self.source} model {model.name} {model.version} --registry {registry}"
        raise ReleaseError(reason, fix=f"{command}, or add --share to this command")
