"""Runs pipelines that the Kubeflow SDK compiled, without Kubeflow: each step is a container of a Docker engine.

`kfp.local` runs them too. It can report a failed container as a success, and it ignores volumes, secrets and
identities. This runner reports the exit code of each step, mounts claims, and passes secrets and the identity of a
service account. What a pipeline contains and this runner does not do is an error before the first step.
"""
