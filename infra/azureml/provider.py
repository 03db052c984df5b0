"""The dynamic provider at its former path. The states of versions before 0.3.0 import it from here."""

from infra.settings.assets import CONFIG_KEYS
from pulumi_azureml import provider
from pulumi_azureml.operations.kinds import OPERATIONS


class EarlierProvider(provider.AzureMLProvider):
    """The provider with this program's configuration keys, which old states do not contain."""

    config_keys = provider.kept(CONFIG_KEYS, OPERATIONS["pipeline_job"].options)


AzureMLProvider = EarlierProvider
