"""Where amlite answers its own command line and providers."""

HOST = "control.amlite.internal"
AUDIENCE = f"https://{HOST}"
