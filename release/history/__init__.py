"""What served where: read from Pulumi's own history of a stack."""
