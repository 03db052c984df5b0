"""The dynamic provider by its earlier path, which the states of versions before 0.3.0 name."""

from infra.settings.assets import CONFIG_KEYS
from pulumi_azureml import provider


class EarlierProvider(provider.AzureMLProvider):
    """The provider, with this program's keys, which those states do not have."""

    config_keys = provider.kept(CONFIG_KEYS)


AzureMLProvider = EarlierProvider
