"""The kinds of assets, one file each: how its YAML is planned, what Azure is told, and its Pulumi resource.

Each module has its kind as `KIND`. They claim files in the order of their names.
"""

import importlib
import pkgutil

from pulumi_azureml.operations.managed import ManagedKind
from pulumi_azureml.planning.kind import Kind

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (importlib.import_module(f"{__name__}.{each.name}").KIND for each in pkgutil.iter_modules(__path__))
}
# Those that Azure keeps as resources of their own.
MANAGED: dict[str, ManagedKind] = {name: kind for name, kind in KINDS.items() if isinstance(kind, ManagedKind)}
