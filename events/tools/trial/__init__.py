"""Trying manifests without a bus and without effects: given or recorded events, the engine of an instance."""
