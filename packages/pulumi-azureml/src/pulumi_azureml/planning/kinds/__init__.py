"""How each kind is planned, one file each: which YAML is of the kind, what it uses, and what can be wrong with it.

Each module has its kind as `KIND`. They claim files in the order of their names.
"""

from pulumi_azureml.discovery import each_in
from pulumi_azureml.planning.kind import Kind

KINDS: dict[str, Kind] = {kind.name: kind for kind in each_in(__name__, __path__, "KIND")}
