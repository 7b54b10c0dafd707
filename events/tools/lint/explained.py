"""Every code that a finding may have, explained."""

from __future__ import annotations

from typing import Final

_READING: Final = {
    "unreadable": "A file that cannot be opened, or is too large.",
    "yaml": "Text that is not YAML, or not UTF-8, or nests too deeply.",
    "not-an-object": "A document without apiVersion and kind.",
    "duplicate-key": "A key that stands twice in a map: the later one wins.",
    "duplicate-object": "Two objects of one kind and namespace have the same name.",
    "version": "An apiVersion that is not known.",
    "name": "A name or namespace that Kubernetes refuses.",
    "not-unicode": "Half of a surrogate pair, which no UTF-8 text can hold.",
    "base64": "Data of a Secret that is not base64.",
}
_FIELDS: Final = {
    "required": "A field that has to be there is missing or empty.",
    "type": "A value of the wrong type, such as a number where text is wanted.",
    "lenient-type": "A value whose type upstream refuses; it is read all the same here.",
    "range": "A number outside its bounds.",
    "choice": "A value that is not one of those allowed, or fields that exclude each other.",
    "invalid-value": "A value that cannot be used.",
    "duration": "Text that is not a duration such as 90s or 1h30m.",
    "tls": "Certificates or keys of which a half is missing.",
    "duplicate": "Two dependencies, triggers or events of one object have the same name.",
    "unsafe-name": "A name of an event that does not work on every bus.",
    "unknown-field": "A field that nothing reads.",
    "wrong-case": "A field whose capital letters are wrong; it is read all the same here.",
    "misplaced-field": "A field inside template that belongs beside it, where alone it has an effect.",
    "removed-field": "A field or kind of older versions of Argo Events that does nothing any more.",
    "deprecated-field": "A field that still works, and has a better successor or no effect.",
    "ignored": "A field that another one beside it makes ineffective.",
    "upstream-refuses": "Something that works here and that Argo Events refuses.",
    "no-events": "An EventSource without events.",
    "no-trigger-type": "A trigger whose template says nothing to do.",
    "kind-not-available": "A kind of event source or trigger that this version does not run.",
    "missing-extra": "Something that needs an optional package that is not installed.",
    "broken-kind": "An installed kind of source or trigger that cannot be loaded.",
    "does-not-compile": "An expression, template, path, script, schedule, time or zone that is wrong.",
}
_SENSORS: Final = {
    "unknown-event": "A dependency names an event that its EventSource does not have.",
    "unknown-event-source": "A dependency names an EventSource that is not among the files.",
    "other-bus": "Sensor and EventSource use different buses, so no event arrives.",
    "unknown-condition-name": "A condition names something that is no dependency.",
    "unreachable-trigger": "A condition that can never be true, because its dependencies get no events.",
    "superfluous-condition": "A part of a condition that changes nothing.",
    "keeps-newest": "A condition with && keeps only the newest event of each dependency while it waits.",
    "unused-dependency": "A dependency that no condition waits for.",
    "never-passes": "A filter that refuses every event.",
    "always-true": "A filter that refuses no event.",
    "unknown-comparator": "A comparator that does not exist; the hint says what does the same.",
    "ignored-comparator": "A comparator that counts as another one with this type.",
    "unknown-type": "A type of a data filter that does not exist; the hint says what does the same.",
    "unanchored-pattern": "A plain word as a pattern is found anywhere: main also matches maintenance.",
    "comma-path": "A path with commas and without brackets: it never finds anything.",
    "header-list": "A header is a list of values; an anchored pattern never matches its text.",
    "header-spelling": "A header that is not spelled as Go spells it is never found.",
    "unknown-path": "A path that no event of this kind of source has.",
    "unbound-name": "An expression uses a name that its fields do not give.",
    "text-and-number": "A comparison of text with a number, which is never equal.",
    "number-as-text": "An order comparison with a number in quotes.",
    "date-literal": "Text in an expression that looks like a date becomes a number of seconds.",
    "unknown-dependency": "A parameter names a dependency that the sensor does not have.",
    "never-present": "A parameter reads a dependency that its trigger does not wait for.",
    "outside-object": "A parameter writes a place that nothing reads.",
    "new-element": "A parameter writes into an element of a list that is not there.",
    "no-such-place": "A parameter searches for its place and finds none: nothing is written.",
    "unwritable-dest": "A parameter whose place can never be written: every firing fails.",
    "text-parameter": "A parameter writes text into a field that is no text: every firing fails.",
    "may-lose-firings": "atLeastOnce: false, so that a crash may lose a firing.",
    "incomplete-object": "An object of a trigger without apiVersion, kind or name.",
}
_WORKFLOWS: Final = {
    "workflow-entrypoint": "A workflow whose entrypoint is missing or no template.",
    "workflow-unknown-template": "A step, task or hook that names no template, or one that is not there.",
    "workflow-template-type": "A template that does nothing, or several things at once.",
    "workflow-duplicate-name": "Two templates, steps or tasks have the same name.",
    "workflow-unknown-task": "A dependency on a task, or on a status of one, that does not exist.",
    "workflow-cycle": "Tasks that wait for each other.",
    "workflow-undeclared-input": "A template uses an input that it does not declare.",
    "workflow-undeclared-parameter": "A workflow uses a parameter that it does not declare.",
    "unknown-workflow-field": "A field of a workflow that is nearly another one.",
}


def codes() -> dict[str, str]:
    """Code -> one sentence, in the order of the documentation: reading, fields, sensors, workflows."""
    return {**_READING, **_FIELDS, **_SENSORS, **_WORKFLOWS}
