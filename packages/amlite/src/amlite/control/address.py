"""Where amlite answers its own command line and providers."""

HOST = "control.amlite.internal"
SIGN_IN = "/{tenant}/oauth2/v2.0/token"
"""Where the command line gets its tokens, as from Entra ID. Faults spare it, unlike the host of Entra ID."""
AUDIENCE = f"https://{HOST}"
