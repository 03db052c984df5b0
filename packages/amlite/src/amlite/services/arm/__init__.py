"""Azure Resource Manager: subscriptions, resource groups and the resources of every registered type."""
