"""Microsoft.EventGrid: system topics of workspaces, their event subscriptions, and the delivery of events.

A workspace's events are those of its runs. They go to storage queues by the topic's identity, and to webhooks on this
machine. Sources: the OpenAPI document of Microsoft.EventGrid, and the pages "Azure Machine Learning as an Event Grid
source", "Event filtering", "Event Grid message delivery and retry" and "Endpoint validation".
"""
