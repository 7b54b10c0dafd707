"""Clients of remote systems: one module per family, shared by sources, triggers and buses."""
