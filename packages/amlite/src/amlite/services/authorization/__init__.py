"""Microsoft.Authorization: role assignments on any scope, role definitions, and the permissions of a caller.

Sources: azure-rest-api-specs (authorization-RoleAssignmentsCalls, -RoleDefinitionsCalls, -PermissionsCalls) and
"Troubleshoot Azure RBAC".
"""
