"""A month of a team in minutes: from a pull request to production, a bad model and a rollback, on the local Azure."""
