"""Triggers: one module per template key with its config model and, once built, its adapter."""
