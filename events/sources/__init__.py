"""Event sources: one module per spec key with its config model and, once built, its adapter."""
