"""Microsoft.KeyVault: vaults as resources (their secrets are not served: nothing here stores any)."""
