"""Microsoft.ContainerRegistry: registries in ARM, and images kept by distribution behind amlite's own sign-in."""
