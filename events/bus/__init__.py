"""The event bus: a log with marks, state and leases. One protocol, one module per engine."""
