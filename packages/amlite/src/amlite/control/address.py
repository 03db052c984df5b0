"""Where amlite answers its own command line and providers."""

HOST = "control.amlite.internal"
SIGN_IN = "/sign-in"
"""Where the command line gets its tokens. Faults spare it, unlike the host of Entra ID."""
AUDIENCE = f"https://{HOST}"
