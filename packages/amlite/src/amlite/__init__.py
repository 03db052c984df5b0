"""The Azure that fits on a laptop: production host names, answered on loopback.

`amlite run -- CMD` points a command's proxy and certificate variables at one local process, which answers for Entra ID,
Azure Resource Manager, Azure Machine Learning and the services around it. Clients run unmodified.
"""

TENANT_ID = "10ca1000-0000-4000-8000-616d6c697465"
SUBSCRIPTION_ID = "10ca1000-0000-4000-9000-616d6c697465"
SYSTEM_SUBSCRIPTION_ID = "10ca1000-0000-4000-c000-616d6c697465"
"""The subscription of Microsoft's own registries, in which nobody has a role."""
ENTRA_GROUP_ID = "10ca1000-0000-4000-b000-616d6c697465"
"""A group of Entra ID. Its only member is the identity that `amlite run` signs commands in as."""
