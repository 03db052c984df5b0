"""Validation against Kubernetes' published schemas.

`generate.py` reads the OpenAPI document of a Kubernetes release and writes `kubernetes.json`, with the schemas of the
kinds that amlite's API server has. `validation.py` checks objects against that file.
"""
