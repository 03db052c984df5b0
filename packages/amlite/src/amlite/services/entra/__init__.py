"""Microsoft Entra ID: discovery, signing keys and tokens for the tenant's application and managed identities."""
