"""Batch endpoints: their place in ARM, and the jobs that an invocation begins.

A model deployment is provisioned as an anonymous parallel component, which an invocation runs as the one step
`batchscoring` of a pipeline job; a pipeline component deployment is invoked as a pipeline job of its own nodes.
Sources: the service's OpenAPI documents, Microsoft's "Author scoring scripts for batch deployments", "Authorization on
batch endpoints" and "Create jobs and input data for batch endpoints", and what azure-ai-ml sends.
"""
