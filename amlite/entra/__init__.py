"""Microsoft Entra ID: discovery, signing keys and tokens for the tenant's one application and its managed identities."""
