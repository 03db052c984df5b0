"""Azure operations, one module for each kind. Each module defines its operations as `OPERATIONS`."""

from pulumi_azureml.discovery import each_in
from pulumi_azureml.operations.kind import Operations

OPERATIONS: dict[str, Operations] = {each.name: each for each in each_in(__name__, __path__, "OPERATIONS")}
