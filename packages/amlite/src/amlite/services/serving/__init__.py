"""Managed online endpoints: their place in ARM, the model servers behind them, and `*.inference.ml.azure.com`.

A deployment runs Microsoft's own inference server (azureml-inference-server-http) in its environment, unless that is an
image with its own server.
Sources: the service's OpenAPI documents, Microsoft's "Troubleshoot online endpoints" (status codes, error codes), and
the response rules of the service's gateway, which its inference images contain.
"""
