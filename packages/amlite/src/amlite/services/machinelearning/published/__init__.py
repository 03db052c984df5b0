"""What Azure Machine Learning's published models accept.

`generate.py` reads the typed ARM models that azure-ai-ml ships and writes `machinelearning.json`; `validation.py` holds
request bodies against that file, without importing azure-ai-ml.
"""
