"""What is done in Azure ML for each kind of resource, by azure-ai-ml: plain Python that does not import Pulumi."""
