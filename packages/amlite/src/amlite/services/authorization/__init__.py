"""Microsoft.Authorization: role assignments, on any scope, and the built-in role definitions."""
