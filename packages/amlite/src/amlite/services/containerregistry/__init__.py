"""Microsoft.ContainerRegistry: registries in ARM, and images in distribution behind amlite's sign-in."""
