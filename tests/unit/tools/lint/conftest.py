"""Manifests as text, and what lint says of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent

import pytest

from events.manifest import Finding, load
from events.tools.lint import codes, lint

Check = Callable[..., list[Finding]]

SOURCE = """\
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: web}
spec:
  webhook:
    push: {endpoint: /push, port: "12000", method: POST}
    pull: {endpoint: /pull, port: "12000", method: POST}
  github:
    hub:
      repositories: [{owner: me, names: [repo]}]
      webhook: {endpoint: /hub, port: "12000", method: POST}
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: clock}
spec:
  calendar:
    tick: {interval: 10s}
"""

SENSOR = """\
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: ci}
spec:
  dependencies:
{dependencies}
  triggers:
{triggers}
"""

PUSH = "- {name: push, eventSourceName: web, eventName: push}"
LOG = "- template: {name: log, log: {}}"


@pytest.fixture
def findings(tmp_path: Path) -> Check:
    """Findings about manifests, each of which becomes a file; every code is an explained one."""

    def check(*texts: str) -> list[Finding]:
        for number, text in enumerate(texts):
            (tmp_path / f"{number}.yaml").write_text(text)
        found = lint(load([tmp_path]))
        assert {finding.code for finding in found} <= codes().keys()
        return found

    return check


@pytest.fixture
def sensor(findings: Check) -> Check:
    """Findings about a sensor with these dependencies and triggers, beside an EventSource."""

    def check(*, dependencies: str = PUSH, triggers: str = LOG, source: str = SOURCE) -> list[Finding]:
        parts = {"dependencies": dependencies, "triggers": triggers}
        text = SENSOR
        for name, part in parts.items():
            text = text.replace(f"{{{name}}}", indent(dedent(part).strip("\n"), "    "))
        return findings(text, *([source] if source else []))

    return check


@pytest.fixture
def data_filter(sensor: Check) -> Check:
    """Findings about a dependency with one data filter, as flow mapping."""

    def check(item: str, event: str = "push") -> list[Finding]:
        source = "clock" if event == "tick" else "web"
        head = f"name: push, eventSourceName: {source}, eventName: {event}"
        return sensor(dependencies=f"- {{{head}, filters: {{data: [{item}]}}}}")

    return check
