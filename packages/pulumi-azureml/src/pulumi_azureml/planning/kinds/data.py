"""Data assets: `ml/**/data.yml`. A file, a folder or an MLTable, which is uploaded or referenced."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import ClassVar

from pulumi_azureml.planning.drafts import Draft, Drafts, is_local, source, use
from pulumi_azureml.planning.kind import Kind
from pulumi_azureml.planning.problems import Problem
from pulumi_azureml.planning.references import in_registry
from pulumi_azureml.planning.settings import CatalogueSettings

# Source: "CLI (v2) data YAML schema": the supported URIs.
_PLACES = re.compile(
    r"azureml://(subscriptions/[^/]+/resourcegroups/[^/]+/(providers/[^/]+/)?workspaces/[^/]+/)?datastores/[^/]+(/paths/.*)?$"
    r"|azureml://(jobs|locations|registries)/.+|(https?|wasbs?|abfss?|adl)://.+",
    re.IGNORECASE,
)
# The file of an `mltable` that says how to read the others.
MLTABLE = "MLTable"
_WANTED = {"uri_file": "file", "uri_folder": "folder", "mltable": "folder"}


class DataKind(Kind):
    """A file or folder. Local paths are uploaded, cloud paths are referenced."""

    name = "data"
    loader = "load_data"
    schemas: ClassVar = {"": "assets.data:DataSchema"}
    versioned = True
    # "Argument 'version' exceeded maximum length of 30 for DatasetId": azureml-assets#295.
    version_length = 30

    def claims(self, path: str) -> bool:
        """Claim files anywhere below `ml/`."""
        return path.startswith("ml/") and posixpath.basename(path) == "data.yml"

    def collect(self, draft: Draft, _settings: CatalogueSettings) -> None:
        """Collect the local file or folder."""
        data = draft.definition
        path = data.get("path")
        if isinstance(path, str) and path.strip() and not is_local(path) and not _PLACES.match(path):
            fix = (
                "use a path in the project, `azureml://datastores/NAME/paths/...`, or a URI that starts with https, "
                "wasbs, abfss or adl"
            )
            draft.problem(("path",), f"'{path}' is not a valid path of data", fix)
        if isinstance(path, str) and in_registry(path) is not None:
            use(draft, ("path",), self.name, path)
        wanted = _WANTED.get(str(data.get("type", "uri_folder")), "any")
        description = MLTABLE if data.get("type") == "mltable" else ""
        source(draft, ("path",), data.get("path"), wanted=wanted, described_by=description)

    def check(self, draft: Draft, _drafts: Drafts, _settings: CatalogueSettings) -> Iterator[Problem]:
        """Check that the folder of an `mltable` contains a file `MLTable`."""
        tree = draft.trees.get(("path",))
        if tree is None or draft.definition.get("type") != "mltable":
            return
        if all(file.path != MLTABLE for file in tree.files):
            yield draft.document.problem(("path",), f"there is no file 'MLTable' in '{tree.path}'", "add the file")


KIND = DataKind()
