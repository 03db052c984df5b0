"""Azure ML operations for each kind of resource, through azure-ai-ml: plain Python that does not import Pulumi."""
