"""Microsoft.OperationalInsights and Microsoft.Insights: workspaces and components that others refer to, and metrics.

Metrics are those that Azure Monitor lists for online endpoints and their deployments, counted from the requests that
were really scored. Sources: Azure Monitor's pages "Supported metrics", the OpenAPI documents of Microsoft.Insights.
"""
