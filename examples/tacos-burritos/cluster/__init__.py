"""The Kubernetes cluster of the example: its settings, the roles of its identities, and the resources."""
