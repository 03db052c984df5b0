"""Microsoft.Storage: accounts in ARM, and blobs served by Azurite behind amlite's own check of token and role."""
