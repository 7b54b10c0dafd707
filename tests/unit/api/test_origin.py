from __future__ import annotations

import pytest

from events.api.origin import Lines, Origin, dotted

LINES = Lines(
    1,
    {
        "metadata": Lines(2, {"labels": Lines(3, {"app.kubernetes.io/name": Lines(4), "app": Lines(5)})}),
        "spec": Lines(6, {"triggers": Lines(7, {0: Lines(8, {"template": Lines(9)})}), "0": Lines(10)}),
    },
)
ORIGIN = Origin("a.yaml", LINES)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        ("metadata", 2),
        ("metadata.labels.app", 5),
        ("metadata.labels.app.kubernetes.io/name", 4),
        (("metadata", "labels", "app.kubernetes.io/name"), 4),
        ("spec.triggers.0.template", 9),
        (("spec", "triggers", 0, "template"), 9),
        ("spec.0", 10),
        ("spec.triggers.0.template.http.url", 9),
        ("spec.triggers.1", 7),
        ("other", 1),
    ],
)
def test_line_of_a_field_or_of_the_nearest_parent(path: str | tuple[str, ...], line: int) -> None:
    assert ORIGIN.line(path) == line


def test_no_line_without_text() -> None:
    assert Origin().line("spec") is None


def test_dotted() -> None:
    assert dotted(("spec", "triggers", 0)) == "spec.triggers.0"
