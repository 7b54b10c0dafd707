"""The sensor engine: match, transform, filter, condition, parameters. Pure: no I/O, clock or random."""
