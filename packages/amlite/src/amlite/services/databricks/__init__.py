"""Microsoft.Databricks: workspaces and access connectors, and a workspace's own host.

A workspace keeps files and jobs, and runs Python files with Spark on this machine. Unity Catalog's external locations
say which paths of a data lake a job reads and writes, by the identity of an access connector. Everything else of
Databricks is refused: notebooks, clusters that stay, tables.

Sources: the OpenAPI document of Microsoft.Databricks, the REST reference of Azure Databricks (Jobs, Workspace, Unity
Catalog), and databricks-sdk.
"""
