"""How the engine replaces the platform's resources: it deletes the old one first.

Every resource has a fixed name, so old and new have the same id in Azure. azure-native refuses to create an existing
resource. Without this rule, `pulumi up --replace` and `pulumi state taint` would therefore fail. `protect` still
prevents both.
"""

import pulumi


def delete_first(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
    """Let the engine delete an Azure resource before it creates its replacement. A transformation for the stack."""
    if not args.type_.startswith("azure-native:"):
        return None
    options = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(delete_before_replace=True))
    return pulumi.ResourceTransformationResult(args.props, options)
