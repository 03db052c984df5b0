"""Microsoft.OperationalInsights and Microsoft.Insights: the workspaces and components that others refer to."""
