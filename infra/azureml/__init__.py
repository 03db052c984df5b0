"""Azure Machine Learning's assets, schedules and endpoints as Pulumi resources.

`resources` is what a program uses; `provider` is the thin shell that the Pulumi engine calls; `kinds` does the work,
one file a kind, free of Pulumi; `connection` is the only way to Azure.
"""
