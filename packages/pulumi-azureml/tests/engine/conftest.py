"""The provider by the real engine, against amlite."""

from azureml_fixtures.engine_fixtures import asked, azure, make, signed_in

__all__ = ["asked", "azure", "make", "signed_in"]
