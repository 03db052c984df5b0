"""Batch endpoints: their resources in ARM, and the jobs that invocations start.

A model deployment is provisioned as an anonymous parallel component. An invocation runs this component as the only
step, `batchscoring`, of a pipeline job. An invocation of a pipeline component deployment starts a pipeline job with the
component's nodes. Sources: the service's OpenAPI documents, Microsoft's "Author scoring scripts for batch deployments",
"Authorization on batch endpoints" and "Create jobs and input data for batch endpoints", and azure-ai-ml's requests.
"""
