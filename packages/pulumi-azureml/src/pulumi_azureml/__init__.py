"""Azure Machine Learning's components, environments, data, models, schedules and endpoints as Pulumi resources.

    import pulumi_azureml as azureml

Each resource takes its arguments by keyword or as an object of them. `Assets` makes a resource of each asset that
`load_catalogue` finds in a folder of `az ml` YAML.

The public names are those of `__init__.pyi`. A name is loaded at its first use, because the provider's process, which
the engine starts for each preview and update, uses none of them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
