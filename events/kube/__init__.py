"""Kubernetes objects: the local store, later the API server."""
