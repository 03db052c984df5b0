"""Azure ML operations for each kind of resource, through azure-ai-ml: plain Python that does not import Pulumi.

Use the public names, those of `__init__.pyi`, on a deployed workspace: connect to it, follow a job, read its logs and
outputs, and score with an endpoint. A name is loaded at its first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
