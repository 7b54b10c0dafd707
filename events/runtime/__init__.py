"""Wiring: source runners, shard runners, the standalone process and its local API."""
