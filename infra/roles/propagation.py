"""Waits until a role is in effect. The only evidence is that the operation that needs the role succeeds.

Azure reports a role assignment as created up to ten minutes before it takes effect ("Troubleshoot Azure RBAC"), and
only its holder can observe when it does. The engine therefore repeats the operations that were refused.
"""

import asyncio

import pulumi

# Seconds before each new attempt: twelve minutes in all.
WAITS = (5, 10, 15, 30, *[60] * 11)
# Azure's messages while an identity has no role, or while a new role or identity is not known everywhere.
_PASSING = (
    "AuthorizationFailed",
    "AuthorizationPermissionMismatch",
    "ForbiddenByRbac",
    "RoleDefinitionDoesNotExist",
    "PrincipalNotFound",
    # Of a managed cluster whose control plane has no role on the identity of the nodes yet.
    "CustomKubeletIdentityMissingPermissionError",
    # Of the attachment of a managed cluster whose extension the workspace may not read yet.
    "extension not installed",
    "does not have authorization",
    # Azure Container Registry, of a push: "authentication required, visit https://aka.ms/acr/authorization".
    "aka.ms/acr/authorization",
)


def waits_for_roles(name: str) -> pulumi.ResourceHookBinding:
    """Return hooks that repeat the creation of a resource (its name) while Azure refuses it for a missing role."""
    return pulumi.ResourceHookBinding(on_error=[pulumi.ErrorHook(f"{name}-waits-for-roles", wait)])


async def wait(args: pulumi.ErrorHookArgs) -> bool:
    """Wait before the next attempt. Return False if another attempt would not help."""
    attempts = len(args.errors)
    refusal = args.errors[0] if args.errors else ""
    reason = next((code for code in _PASSING if code in refusal), None)
    if reason is None or args.failed_operation == "delete" or attempts > len(WAITS):
        return False
    seconds = WAITS[attempts - 1]
    pulumi.log.info(
        f"{args.name}: waiting until role assignments are in effect ({reason}). Next attempt in {seconds} s."
    )
    await asyncio.sleep(seconds)
    return True
