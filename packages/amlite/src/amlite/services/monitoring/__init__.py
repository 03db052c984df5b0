"""Microsoft.OperationalInsights and Microsoft.Insights: workspaces and components that others refer to, and metrics.

The metrics are those that Azure Monitor lists for online endpoints and their deployments. Their values come from the
requests that were scored. Sources: Azure Monitor's pages "Supported metrics", and the OpenAPI documents of
Microsoft.Insights.
"""
