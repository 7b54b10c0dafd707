"""Contract suites and fakes, importable by third-party adapters."""
