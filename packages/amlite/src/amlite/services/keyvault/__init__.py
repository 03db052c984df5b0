"""Microsoft.KeyVault: vaults as resources, without their secrets."""
