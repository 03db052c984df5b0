"""Microsoft.Logic: workflows that poll an address and send requests with their managed identity.

A workflow has one trigger and actions of type Http. amlite refuses definitions with other triggers, actions and
functions. Sources: the OpenAPI document of Microsoft.Logic/workflows, and the pages "Schema reference for trigger and
action types" and "Reference guide to workflow expression functions".
"""
