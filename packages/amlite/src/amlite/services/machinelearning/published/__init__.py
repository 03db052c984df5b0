"""Validation against Azure Machine Learning's published models.

`generate.py` reads the typed ARM models that azure-ai-ml ships and writes `machinelearning.json`.
`validation.py` checks request bodies against that file and does not import azure-ai-ml.
"""
