"""The Pulumi resource of each kind and its typed arguments, one file each. Each module has its class as `RESOURCE`."""

from pulumi_azureml.discovery import each_in
from pulumi_azureml.resources.resource import Resource

RESOURCES: dict[str, type[Resource]] = {each.kind: each for each in each_in(__name__, __path__, "RESOURCE")}
