from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from events.api.common import secret_refs
from events.manifest import Finding, Manifests, load, load_objects

SOURCE = """\
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: hooks
spec:
  webhook:
    push:
      port: "12000"
      endpoint: /push
      method: POST
"""
SENSOR = """\
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata:
  name: build
  namespace: ci
spec:
  dependencies:
    - name: dep
      eventSourceName: hooks
      eventName: push
  triggers:
    - template:
        name: say
        log: {}
"""
BUS = """\
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata:
  name: default
spec:
  jetstream:
    version: latest
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def loaded(folder: Path, *texts: str) -> Manifests:
    """The texts as documents of one file `a.yaml`."""
    (folder / "a.yaml").write_text("---\n".join(texts))
    return load(["a.yaml"])


def brief(findings: Sequence[Finding]) -> list[tuple[str, str, int | None, str]]:
    return [(found.severity, found.code, found.line, found.field) for found in findings]


def test_the_three_kinds(folder: Path) -> None:
    made = loaded(folder, SOURCE, SENSOR, BUS)
    assert made.findings == []
    assert [(item.namespace, item.name) for item in made.event_sources] == [("default", "hooks")]
    assert [(item.namespace, item.name) for item in made.sensors] == [("ci", "build")]
    assert [item.name for item in made.event_buses] == ["default"]


def test_the_default_namespace_can_be_chosen(folder: Path) -> None:
    (folder / "a.yaml").write_text(f"{SOURCE}---\n{SENSOR}")
    made = load(["a.yaml"], namespace="team")
    assert (made.event_sources[0].namespace, made.sensors[0].namespace) == ("team", "ci")


def test_configs_are_models(folder: Path) -> None:
    made = loaded(folder, SOURCE, SENSOR)
    assert made.event_sources[0].spec.configs["webhook", "push"].endpoint == "/push"
    assert [*made.sensors[0].spec.triggers[0].template.configs] == [("log",)]


def test_origins(folder: Path) -> None:
    made = loaded(folder, SOURCE, SENSOR)
    origin = made.sensors[0].origin
    assert origin.file == "a.yaml"
    assert origin.line() == 12
    assert origin.line("spec.triggers.0.template.log") == 25
    assert made.event_sources[0].origin.line("spec.webhook.push.method") == 10


def test_errors_are_told_all_at_once_with_their_lines(folder: Path) -> None:
    source = SOURCE.replace('"12000"', "12000").replace("/push", '""')
    sensor = SENSOR.replace("eventName: push", "event: push").replace("name: say", "nme: say")
    made = loaded(folder, source, "a: [\n", sensor, BUS)
    assert brief(made.errors) == [
        ("error", "type", 8, "spec.webhook.push.port"),
        ("error", "required", 9, "spec.webhook.push.endpoint"),
        ("error", "yaml", 13, ""),
        ("error", "required", 21, "spec.dependencies.0.eventName"),
        ("error", "required", 25, "spec.triggers.0.template.name"),
    ]
    assert [item.name for item in made.event_buses] == ["default"]
    assert (made.event_sources, made.sensors) == ([], [])
    assert made.broken == {("EventSource", "default", "hooks"), ("Sensor", "ci", "build")}


def test_a_finding_reads_like_a_compiler_message(folder: Path) -> None:
    made = loaded(folder, SOURCE.replace('"12000"', "12000"))
    assert str(made.findings[0]) == (
        "a.yaml:8: error: EventSource/hooks spec.webhook.push.port is a number, but text is wanted"
        " (put it in quotes)"
    )


def test_values_in_the_wrong_place_are_not_repeated(folder: Path) -> None:
    made = loaded(folder, SOURCE + "      authSecret: hunter2\n      maxPayloadSize: hunter3\n")
    assert len(made.errors) == 2
    assert "hunter" not in "".join(str(finding) for finding in made.findings)


def test_a_key_given_twice_is_a_warning(folder: Path) -> None:
    made = loaded(folder, SOURCE + "      method: PUT\n")
    assert brief(made.findings) == [("warning", "duplicate-key", 11, "")]
    assert made.event_sources[0].spec.configs["webhook", "push"].method == "PUT"


def test_references_to_secrets_are_found_in_configs(folder: Path) -> None:
    made = loaded(folder, SOURCE + "      authSecret: {name: s, key: k}\n")
    assert [(path, found.name) for path, found in secret_refs(made.event_sources[0])] == [
        (("spec", "webhook", "push", "authSecret"), "s")
    ]


def test_unknown_fields_are_warnings_and_kept(folder: Path) -> None:
    made = loaded(folder, SOURCE + "      retries: 5\n  webhok: {}\n")
    assert brief(made.findings) == [
        ("warning", "unknown-field", 11, "spec.webhook.push.retries"),
        ("warning", "unknown-field", 12, "spec.webhok"),
    ]
    assert "did you mean webhook?" in str(made.findings[1])
    assert made.event_sources[0].spec.configs["webhook", "push"].model_extra == {"retries": 5}


def test_python_names_are_unknown_fields(folder: Path) -> None:
    made = loaded(folder, SOURCE + "      max_payload_size: 5\n")
    assert brief(made.findings) == [("warning", "unknown-field", 11, "spec.webhook.push.max_payload_size")]
    assert made.event_sources[0].spec.configs["webhook", "push"].max_payload_size == 1048576


def test_wrong_case_is_a_warning(folder: Path) -> None:
    made = loaded(folder, SENSOR.replace("log:", "LOG:").replace("eventName", "EventName"))
    assert brief(made.findings) == [
        ("warning", "wrong-case", 10, "spec.dependencies.0.eventName"),
        ("warning", "wrong-case", 14, "spec.triggers.0.template.log"),
    ]
    assert made.sensors[0].spec.dependencies[0].event_name == "push"
    assert made.sensors[0].spec.triggers[0].template.kinds == {"log": {}}


def test_scalars_in_text_fields_that_may_be_any_scalar(folder: Path) -> None:
    parameters = "parameters: [{src: {dependencyName: dep, value: 7}, dest: name}]"
    made = loaded(folder, SENSOR + f"      {parameters}\n")
    assert brief(made.findings) == [("warning", "lenient-type", 15, "spec.triggers.0.parameters.0.src.value")]
    source = made.sensors[0].spec.triggers[0].parameters[0].src
    assert source
    assert source.value == "7"


def test_a_kind_without_adapter_is_a_warning(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("events.manifest.kinds.adapter_class", lambda *_: None)
    made = loaded(folder, SOURCE, SENSOR)
    assert brief(made.findings) == [
        ("warning", "kind-not-available", 7, "spec.webhook.push"),
        ("warning", "kind-not-available", 25, "spec.triggers.0.template.log"),
    ]
    assert "event 'push'" in made.findings[0].message
    assert "trigger 'say'" in made.findings[1].message
    assert (len(made.event_sources), len(made.sensors)) == (1, 1)


def test_a_library_that_is_missing_is_a_warning(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from events.errors import MissingExtra

    def missing(_: str, kind: str) -> None:
        raise MissingExtra(kind, "web")

    monkeypatch.setattr("events.manifest.kinds.adapter_class", missing)
    made = loaded(folder, SOURCE)
    assert brief(made.findings) == [("warning", "missing-extra", 7, "spec.webhook.push")]
    assert "pip install 'events-trigger[web]'" in str(made.findings[0])


def test_the_first_of_several_trigger_types_counts(folder: Path) -> None:
    made = loaded(folder, SENSOR + "        http: {url: http://x}\n        slack: null\n")
    assert brief(made.findings) == [("warning", "ignored", 14, "spec.triggers.0.template.log")]
    assert [*made.sensors[0].spec.triggers[0].template.configs] == [("http",)]


def test_a_trigger_without_type_is_a_warning(folder: Path) -> None:
    made = loaded(folder, SENSOR.replace("        log: {}\n", ""))
    assert brief(made.findings) == [("warning", "no-trigger-type", 12, "spec.triggers.0.template")]
    assert len(made.sensors) == 1


def test_configs_of_dead_letter_triggers(folder: Path) -> None:
    dlq = """\
      atLeastOnce: true
      dlqTrigger:
        atLeastOnce: true
        template: {name: dead, http: {methd: GET}}
"""
    made = loaded(folder, SENSOR + dlq)
    place = "spec.triggers.0.dlqTrigger.template.http"
    assert brief(made.findings) == [
        ("warning", "unknown-field", 18, f"{place}.methd"),
        ("error", "required", 18, f"{place}.url"),
    ]


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("foo: bar\n", ("error", "not-an-object", 1, "")),
        ("- 1\n", ("error", "not-an-object", 1, "")),
        ("text\n", ("error", "not-an-object", 1, "")),
        ("apiVersion: v1\nkind: [Secret]\n", ("error", "not-an-object", 1, "")),
        (SOURCE.replace("v1alpha1", "v1"), ("error", "version", 1, "apiVersion")),
        (SOURCE.replace("name: hooks", "labels: {}"), ("error", "required", 3, "metadata.name")),
        (SOURCE.replace("  name: hooks\n", "  generateName: x\n"), ("error", "required", 3, "metadata.name")),
        (SOURCE.replace("hooks", "My_Hooks"), ("error", "name", 4, "metadata.name")),
        (SOURCE.replace("name: hooks", "name: 5"), ("error", "name", 4, "metadata.name")),
        (SOURCE.replace("metadata:\n  name: hooks\n", ""), ("error", "required", 1, "metadata")),
        (SENSOR.replace("namespace: ci", "namespace: a.b"), ("error", "name", 5, "metadata.namespace")),
        (SOURCE.split("spec:")[0], ("error", "required", 1, "spec")),
        (SOURCE.split("spec:")[0] + "spec: 5\n", ("error", "type", 5, "spec")),
    ],
)
def test_objects_that_cannot_be_used(folder: Path, text: str, finding: tuple[str, str, int, str]) -> None:
    made = loaded(folder, text)
    assert brief(made.findings) == [finding]
    assert made.event_sources == made.sensors == []


def test_an_object_given_twice(folder: Path) -> None:
    made = loaded(folder, SOURCE, SENSOR, SOURCE.replace("POST", "PUT"))
    assert brief(made.findings) == [("error", "duplicate-object", 30, "metadata.name")]
    assert "a.yaml:1" in made.findings[0].message
    assert [item.spec.configs["webhook", "push"].method for item in made.event_sources] == ["POST"]


def test_the_same_text_twice_is_only_doubtful(folder: Path) -> None:
    made = loaded(folder, SOURCE, SOURCE)
    assert brief(made.findings) == [("warning", "duplicate-object", 15, "metadata.name")]
    assert len(made.event_sources) == 1


def test_equal_names_in_two_namespaces(folder: Path) -> None:
    made = loaded(folder, SENSOR, SENSOR.replace("namespace: ci", "namespace: cd"))
    assert made.findings == []
    assert len(made.sensors) == 2


def test_other_objects_are_kept_as_they_are(folder: Path) -> None:
    workflow = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: x-}\n"
    knative = "apiVersion: sources.knative.dev/v1\nkind: EventSource\nmetadata: {name: x}\n"
    made = loaded(folder, workflow, knative)
    assert made.findings == []
    assert [item["kind"] for item in made.objects] == ["Workflow", "EventSource"]


def test_lists(folder: Path) -> None:
    items = "".join(
        "- " + text.replace("\n", "\n  ").rstrip() + "\n" for text in (SOURCE, SENSOR.replace("log:", "lg:"))
    )
    made = loaded(folder, f"apiVersion: v1\nkind: List\nitems:\n{items}")
    assert brief(made.findings) == [
        ("warning", "no-trigger-type", 25, "spec.triggers.0.template"),
        ("warning", "unknown-field", 27, "spec.triggers.0.template.lg"),
    ]
    assert made.sensors[0].origin.line("spec.triggers") == 24
    assert (len(made.event_sources), len(made.sensors)) == (1, 1)


def test_secrets(folder: Path) -> None:
    text = """\
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: ci}
data: {a: aGVsbG8=, b: "/w==\\n", c: aGVsbG8=, d: }
stringData: {c: over, e: "5"}
"""
    made = loaded(folder, text)
    assert made.findings == []
    assert made.secrets == {("ci", "s"): {"a": b"hello", "b": b"\xff", "c": b"over", "d": b"", "e": b"5"}}
    assert "hello" not in repr(made)


def test_secrets_that_are_wrong_are_told_without_their_values(folder: Path) -> None:
    text = (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"
        'data:\n  a: "hunter2!"\n  b: 5432\nstringData: [hunter2]\n'
    )
    made = loaded(folder, text)
    assert brief(made.findings) == [
        ("error", "base64", 5, "data.a"),
        ("error", "type", 6, "data.b"),
        ("error", "type", 7, "stringData"),
    ]
    assert "hunter" not in repr(made)
    assert "5432" not in repr(made)
    assert made.secrets == {}


def test_config_maps(folder: Path) -> None:
    text = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: hello}\nbinaryData: {b: "/w=="}\n'
    made = loaded(folder, text, text.replace("name: c", "name: d").replace("hello", "5"))
    assert made.config_maps == {("default", "c"): {"a": "hello", "b": "\udcff"}}
    assert brief(made.findings) == [("error", "type", 10, "data.a")]


def test_folders_are_read_in_order(folder: Path) -> None:
    for name, text in {
        "b.yaml": BUS,
        "a/x.yml": SOURCE,
        "c.json": json.dumps({"apiVersion": "v1", "kind": "Pod"}),
        "a/x.test.yaml": "broken: [",
        ".hidden/x.yaml": "broken: [",
        ".x.yaml": "broken: [",
        "notes.txt": "broken: [",
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    made = load([folder])
    assert made.findings == []
    assert (len(made.event_sources), len(made.event_buses), len(made.objects)) == (1, 1, 1)


def test_other_yaml_in_a_folder_is_only_doubtful(folder: Path) -> None:
    (folder / "values.yaml").write_text("replicas: 2\n")
    assert brief(load(["."]).findings) == [("warning", "not-an-object", 1, "")]
    assert brief(load(["values.yaml"]).findings) == [("error", "not-an-object", 1, "")]


def test_a_file_is_read_once(folder: Path) -> None:
    (folder / "a.yaml").write_text(SOURCE)
    (folder / "link.yaml").symlink_to("a.yaml")
    made = load([folder, "a.yaml", folder / "link.yaml"])
    assert made.findings == []
    assert len(made.event_sources) == 1


def test_named_files_need_no_suffix(folder: Path) -> None:
    (folder / ".hidden").write_text(SOURCE)
    assert len(load([".hidden"]).event_sources) == 1


def test_files_that_cannot_be_read(folder: Path) -> None:
    (folder / "a.yaml").symlink_to("nowhere")
    made = load(["missing.yaml", "."])
    assert [(found.code, found.file) for found in made.findings] == [
        ("unreadable", "missing.yaml"),
        ("unreadable", "a.yaml"),
    ]


def test_pipes_in_folders_are_passed_over(folder: Path) -> None:
    os.mkfifo(folder / "pipe.yaml")
    assert load(["."]).findings == []


def test_files_that_are_too_large(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("events.manifest.files.MAX_BYTES", 10)
    assert "larger than 10 bytes" in loaded(folder, SOURCE).findings[0].message


def test_standard_input() -> None:
    made = load(["-"], stdin=io.BytesIO(SOURCE.replace("POST", "[]").encode()))
    assert [(found.file, found.line) for found in made.errors] == [("<stdin>", 10)]


def test_decoded_objects_have_no_lines() -> None:
    raw: dict[str, Any] = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "EventSource",
        "metadata": {"name": "a", "uid": "1", "managedFields": [{}]},
        "spec": {"webhook": {"x": {"port": 1, "endpoint": "/"}}},
    }
    made = load_objects([raw])
    assert [(found.file, found.line, found.field) for found in made.errors] == [
        (None, None, "spec.webhook.x.port")
    ]
    assert raw["metadata"] == {"name": "a", "uid": "1", "managedFields": [{}]}


def test_decoded_objects_that_nest_deeply() -> None:
    deep: Any = {"template": {"name": "x"}}
    for _ in range(5000):
        deep = {"template": {"name": "x"}, "dlqTrigger": deep}
    raw = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Sensor", "spec": {"triggers": [deep]}}
    assert [found.message for found in load_objects([raw]).findings] == ["nests deeper than 200 levels"]


def test_a_long_chain_of_dead_letter_triggers_below_the_limit() -> None:
    deep: Any = {"template": {"name": "x", "log": {}}, "atLeastOnce": True}
    for _ in range(180):
        deep = {"template": {"name": "x", "log": {}}, "atLeastOnce": True, "dlqTrigger": deep}
    raw = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Sensor",
        "metadata": {"name": "s"},
        "spec": {
            "dependencies": [{"name": "d", "eventSourceName": "a", "eventName": "b"}],
            "triggers": [deep],
        },
    }
    made = load_objects([raw])
    assert made.errors == []
    assert len(made.sensors) == 1


@pytest.mark.parametrize("junk", [None, 5, "x", [], [1], {}, {"kind": 1}, {"apiVersion": "v1", "kind": ""}])
def test_junk_objects(junk: Any) -> None:
    load_objects([junk])


def test_only_the_modules_of_used_kinds_are_imported(folder: Path) -> None:
    (folder / "a.yaml").write_text(f"{SOURCE}---\n{SENSOR}")
    code = "import sys, events.manifest as m; assert not m.load(['a.yaml']).findings; print(*sys.modules)"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    kinds = {
        name
        for name in run.stdout.split()
        if name.startswith(("events.sources.", "events.triggers."))
        and not name.rpartition(".")[2].startswith("_")
    }
    assert kinds == {"events.sources.webhook", "events.triggers.log"}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"method": "\ud800"}, "spec.webhook.push.method"),
        ({"metadata": {"\udc80": "a"}}, "spec.webhook.push.metadata"),
    ],
)
def test_half_of_a_surrogate_pair_is_refused(given: dict[str, Any], field: str) -> None:
    """In objects; text of files that says so is no YAML."""
    made = yaml.safe_load(SOURCE)
    made["spec"]["webhook"]["push"] |= given
    loaded = load_objects([made])
    (found,) = loaded.errors
    assert (found.code, found.field) == ("not-unicode", field)
    assert loaded.event_sources == []
