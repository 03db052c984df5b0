"""Microsoft.Storage: accounts in ARM, and their blobs, which Azurite serves after amlite has checked token and role."""
