"""Settings of the catalogue that the program provides because they are not in the tree."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pulumi_azureml.planning.config_keys import ConfigKeys
from pulumi_azureml.planning.folders import Folders
from pulumi_azureml.planning.overrides import Overrides
from pulumi_azureml.planning.references import parse, registry_version


@dataclass(frozen=True)
class ModelChoice:
    """The model that an endpoint serves: a version in the workspace, or in a registry when one is named."""

    name: str
    version: str
    registry: str | None = None

    @property
    def reference(self) -> str:
        """The reference to the model in a deployment."""
        if self.registry:
            return f"azureml://registries/{self.registry}/models/{self.name}/versions/{self.version}"
        return f"azureml:{self.name}:{self.version}"

    @classmethod
    def read(cls, reference: str) -> ModelChoice | None:
        """Return the version that a reference names, or None if it names none."""
        shared = registry_version(reference)
        if shared is not None:
            return cls(shared.name, shared.version, shared.registry)
        written = parse(reference, folder="")
        return cls(written.name, written.version) if written is not None and written.version else None


def default_cache_folder() -> Path:
    """Return this package's part of the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "pulumi-azureml"


@dataclass(frozen=True)
class CatalogueSettings:
    """Settings of one stack.

    Attributes:
        computes: names of the stack's compute targets; None accepts any name.
        datastores: the workspace's datastores that no file defines, besides its defaults; None accepts any name.
        build_images: the stack, not Azure ML, builds the images of environments with a `build:` context.
        build_arguments: Docker build arguments for those images; they are part of the environment's version.
        login_server: the container registry to push them to; required by `build_images`, not part of a version.
        models: endpoint name → the model it serves. An endpoint without an entry gets no deployment yet.
        endpoint_name: returns an endpoint's name in Azure, which is unique in a region, from its name in the YAML. By
            default both are the same. Files, settings and resource names use the name in the YAML.
        public_endpoints: accept scoring requests from the public internet at managed online endpoints whose YAML does
            not set `public_network_access`.
        registry: the registry of the assets in `folders.shared`; None if nothing is shared.
        folders: the folders that hold the YAML.
        overrides: the values that the stack sets in place of the files', and the assets that it leaves out.
        inputs: pipeline → texts for its inputs that a user typed for one run. They win over the overrides, and messages
            name them as `--input`.
        config_keys: the configuration keys behind these settings, for messages.
        cache_folder: the folder that caches digests and validation results; None disables the cache.
        check_with_azure: validate every definition that has not passed before with azure-ai-ml's own loaders.
    """

    computes: frozenset[str] | None
    datastores: frozenset[str] | None = None
    build_images: bool = False
    build_arguments: Mapping[str, str] = field(default_factory=dict)
    login_server: str | None = None
    models: Mapping[str, ModelChoice] = field(default_factory=dict)
    endpoint_name: Callable[[str], str] = str
    public_endpoints: bool = True
    registry: str | None = None
    folders: Folders = field(default_factory=Folders)
    overrides: Overrides = field(default_factory=Overrides)
    inputs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    config_keys: ConfigKeys = field(default_factory=ConfigKeys)
    cache_folder: Path | None = field(default_factory=default_cache_folder)
    check_with_azure: bool = True
