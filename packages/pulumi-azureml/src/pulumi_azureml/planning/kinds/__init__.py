"""Planning rules, one module for each kind: the YAML files it claims, the references in them and their validation.

Each module defines its kind as `KIND`. Kinds claim files in the order of their module names.
"""

from pulumi_azureml.discovery import each_in
from pulumi_azureml.planning.kind import Kind

KINDS: dict[str, Kind] = {kind.name: kind for kind in each_in(__name__, __path__, "KIND")}
