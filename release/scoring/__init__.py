"""Call the endpoints of a stack."""
