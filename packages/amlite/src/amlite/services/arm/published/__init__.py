"""The types of properties in Microsoft's published models of Azure's resource types, of which Azure ML has its own.

Source: the `azure-mgmt-*` packages.
"""
