"""Manifests: YAML or decoded objects in, validated models and findings with file and line out."""

from __future__ import annotations

from events.manifest.findings import Finding, Manifests
from events.manifest.loader import load, load_objects

__all__ = ["Finding", "Manifests", "load", "load_objects"]
