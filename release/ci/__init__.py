"""`release ci-login`: runs a command in a CI job that stays signed in until the command ends."""
