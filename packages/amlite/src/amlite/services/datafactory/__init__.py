"""Microsoft.DataFactory: factories, their pipelines and triggers, and the runs of both.

Pipelines run for real: Web activities send requests with the factory's identity, Databricks Job activities run jobs,
and Until, If Condition, Wait, Set Variable and Fail control them. Schedules fire on amlite's clock, and triggers on
blobs fire after each change of a blob. amlite refuses pipelines and triggers that it cannot run when they are written.

Sources: the OpenAPI documents of Microsoft.DataFactory, the pages on each activity and trigger, "Expressions and
functions", "Nested activities", and "Errors and Conditional execution".
"""
