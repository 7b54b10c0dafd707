"""`events lint`: everything that can be told about manifests without running them.

Errors    what is refused or can never work; warnings: what works in another way than it looks
Names     every finding has a stable code, see `codes`
Rules     generators of problems, one module per topic; `collect` runs them all
"""

from __future__ import annotations

from events.tools.lint.collect import lint
from events.tools.lint.explained import codes
from events.tools.lint.output import as_json, github, sarif

__all__ = ["as_json", "codes", "github", "lint", "sarif"]
