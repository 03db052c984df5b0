"""Microsoft.ManagedIdentity: user-assigned identities and the external tokens they trust."""
