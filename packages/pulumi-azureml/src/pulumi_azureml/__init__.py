"""Azure Machine Learning's assets, schedules and endpoints as Pulumi resources.

What the kinds (`infra/kinds`) share: `resource` is Pulumi's side of them, `provider` the thin shell that the engine
calls, `managed` and `versioned` what a kind can do, `connection` the only way to Azure; more in docs/architecture.md.
"""
