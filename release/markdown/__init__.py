"""Markdown for comments and issues: text that is shown as it is, and documents that fit a limit."""
