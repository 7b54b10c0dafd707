"""A signed `github` source as manifests, for those that start the product and push to it."""

from __future__ import annotations


def github_source(name: str, secret: str, port: int, *events: str) -> str:
    """An EventSource with these events, each at /EVENT of the port, and the Secret of their deliveries."""
    return f"""
apiVersion: v1
kind: Secret
metadata: {{name: {name}}}
stringData: {{secret: {secret}}}
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {{name: {name}}}
spec:
  github:
{"".join(_event(event, name, port) for event in events)}"""


def _event(event: str, secret: str, port: int) -> str:
    return f"""
    {event}:
      repositories: [{{owner: acme, names: [shop]}}]
      webhook: {{endpoint: /{event}, port: "{port}", method: POST}}
      events: [push]
      webhookSecret: {{name: {secret}, key: secret}}
"""
