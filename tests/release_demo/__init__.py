"""A month of a team in minutes: from a pull request to production, bad models, drift and a rollback."""
