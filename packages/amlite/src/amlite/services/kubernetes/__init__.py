"""The API server of a managed Kubernetes cluster: the objects that a pipeline needs around its containers.

It has namespaces, service accounts, secrets, volumes with their claims, and storage classes, with server-side apply and
dry runs. It has no nodes: pods, jobs and everything else that runs are unknown to it.

Sources: the OpenAPI document of Kubernetes, and the pages "Server-Side Apply", "Kubernetes API Concepts" and
"Persistent Volumes" of its documentation.
"""
