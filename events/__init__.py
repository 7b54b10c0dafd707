"""Event-driven triggers: event sources, sensors, triggers, compatible with Argo Events manifests."""

__version__ = "0.1.0"
