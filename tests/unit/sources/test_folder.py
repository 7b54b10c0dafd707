"""What is told of a folder, from listings alone."""

from __future__ import annotations

import pytest

from events.api.eventsource import WatchPath
from events.errors import Permanent, Retryable
from events.sources import _folder
from events.sources._folder import Entry, Ledger, Step, differences, matcher, payload

NOW = 1_700_000_000_000_000_000


def entry(inode: int = 1, size: int = 10, mtime: int = 5, mode: int = 0o100644) -> Entry:
    return Entry(inode, size, mtime, mode)


def changed(known, now, everything=None):
    return [(one.operation, one.name) for one in differences(known, now, everything or now)]


def test_a_new_name_is_created():
    assert changed({}, {"b": entry(2, mtime=4), "a": entry(1)}) == [("CREATE", "b"), ("CREATE", "a")]


def test_a_name_that_left_is_removed():
    assert changed({"a": entry()}, {}) == [("REMOVE", "a")]


def test_a_name_that_left_with_its_file_still_there_is_renamed():
    assert changed({"a": entry(7)}, {"b": entry(7)}) == [("RENAME", "a"), ("CREATE", "b")]


def test_the_new_name_need_not_match():
    assert changed({"a": entry(7)}, {}, {"elsewhere.txt": entry(7)}) == [("RENAME", "a")]


def test_a_file_laid_over_another_is_created():
    """As a program does that writes beside and renames."""
    assert changed({"a": entry(7), "b": entry(8)}, {"b": entry(7)}) == [("RENAME", "a"), ("CREATE", "b")]


def test_another_hard_link_is_no_new_name():
    assert changed({"a": entry(7), "b": entry(7)}, {"b": entry(7)}) == [("REMOVE", "a")]


def test_servers_without_inodes_rename_nothing():
    assert changed({"a": entry(0)}, {"b": entry(0)}) == [("REMOVE", "a"), ("CREATE", "b")]


@pytest.mark.parametrize("other", [entry(size=11), entry(mtime=6)])
def test_other_content_is_written(other):
    assert changed({"a": entry()}, {"a": other}) == [("WRITE", "a")]


def test_other_rights_are_chmod_and_may_come_with_other_content():
    assert changed({"a": entry()}, {"a": entry(mode=0o100600)}) == [("CHMOD", "a")]
    both = {"a": entry(size=11, mode=0o100600)}
    assert changed({"a": entry()}, both) == [("WRITE", "a"), ("CHMOD", "a")]


def ledger(settle: float = 0.0, place: str = "/in") -> Ledger:
    return Ledger((place,), lambda name: not name.startswith("."), settle)


def begun(settle: float = 0.0, **files: Entry) -> Ledger:
    made = ledger(settle)
    made.take(looked(made, files))
    return made


def looked(one: Ledger, files, now: float = 0.0) -> Step:
    step = one.look(files, now, NOW)
    assert step is not None
    return step


def told(step: Step):
    return [(change.operation, change.name) for change in step.changes]


def test_the_first_look_learns_and_tells_nothing():
    assert told(looked(ledger(), {"a": entry()})) == []


def test_nothing_new_is_no_step():
    assert begun(a=entry()).look({"a": entry(), ".hidden": entry(2)}, 1, NOW) is None


def test_a_file_is_told_when_it_has_settled():
    one = begun(2.0)
    assert one.look({"a": entry(size=1)}, 10.0, NOW) is None
    assert one.due(10.5) == pytest.approx(1.5)
    assert one.look({"a": entry(size=2)}, 11.9, NOW) is None, "it grew"
    assert one.look({"a": entry(size=2)}, 13.8, NOW) is None
    assert told(looked(one, {"a": entry(size=2)}, 13.9)) == [("CREATE", "a")]
    assert one.due(14.0) is None


def test_a_written_file_keeps_its_old_state_until_it_settled():
    one = begun(2.0, a=entry())
    assert one.look({"a": entry(size=20)}, 1.0, NOW) is None
    assert told(looked(one, {"a": entry(size=20)}, 3.0)) == [("WRITE", "a")]


def test_what_left_is_told_at_once_and_a_file_that_never_settled_never_was():
    one = begun(2.0, a=entry())
    assert told(looked(one, {"b": entry(2)}, 1.0)) == [("REMOVE", "a")]
    one.take(looked(one, {"b": entry(2)}, 1.0))
    assert one.look({}, 2.0, NOW) is None
    assert one.due(2.0) is None


def test_a_cursor_brings_back_what_was_known():
    one = begun(a=entry(), b=entry(2))
    one.meet("ssh-ed25519 AAAA")
    step = looked(one, {"a": entry(), "b": entry(2), "caf\udce9": entry(3)})
    again = ledger()
    again.restore(one.cursor(step))
    assert again.peer == "ssh-ed25519 AAAA"
    assert again.look(step.known, 0, NOW) is None
    assert told(looked(again, {"b": entry(2), "caf\udce9": entry(3), "n": entry(4)})) == [
        ("REMOVE", "a"), ("CREATE", "n"),
    ]  # fmt: skip


def test_a_cursor_of_another_folder_counts_for_nothing():
    one = begun(a=entry())
    other = ledger(place="/out")
    other.restore(one.cursor(looked(one, {"b": entry(2)})))
    assert told(looked(other, {"c": entry(3)})) == []


def test_a_broken_cursor_is_told():
    with pytest.raises(Permanent, match="cannot be read"):
        ledger().restore(b"something else")


def test_ids_are_those_of_the_same_look_and_new_for_each_later_one():
    one = begun(a=entry())
    first, again = (looked(one, {"a": entry(), "b": entry(2)}) for _ in range(2))
    ids = [one.id_of(first, first.changes[0])]
    assert one.id_of(again, again.changes[0]) == ids[0]
    for files in ({"a": entry(), "b": entry(2)}, {"a": entry()}, {"a": entry(), "b": entry(2)}):
        step = looked(one, files)
        ids.append(one.id_of(step, step.changes[0]))
        one.take(step)
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_a_server_key_that_was_met_is_stored_without_a_change():
    one = begun(a=entry())
    one.meet("ssh-ed25519 AAAA")
    one.take(looked(one, {"a": entry()}))
    assert one.look({"a": entry()}, 1, NOW) is None


def test_a_folder_that_holds_too_much_is_refused(monkeypatch):
    monkeypatch.setattr(_folder, "MOST", 1)
    with pytest.raises(Retryable, match=r"2 files match, 1 can be remembered: narrow path"):
        ledger().look({"a": entry(), "b": entry()}, 0, NOW)


@pytest.mark.parametrize(
    ("spec", "name", "counts"),
    [
        ({"directory": "/d/", "path": "x.txt"}, "x.txt", True),
        ({"directory": "/d", "path": "x.txt"}, "x.txt", True),
        ({"directory": "/d", "path": "x.txt"}, "ax.txt", False),
        ({"directory": "/d/", "pathRegexp": r"^x.*\.csv$"}, "x1.csv", True),
        ({"directory": "/d", "pathRegexp": r"^x.*\.csv$"}, "x1.csv", True),
        ({"directory": "/d", "pathRegexp": r"^/x.*\.csv$"}, "x1.csv", True),
        ({"directory": "/d/", "pathRegexp": r"^/x.*\.csv$"}, "x1.csv", False),
        ({"directory": "/d/", "pathRegexp": r"[0-9]+"}, "report-7.pdf", True),
        ({"directory": "/d/", "pathRegexp": r"^[0-9]+$"}, "report-7.pdf", False),
    ],
)
def test_which_names_count(spec, name, counts):
    assert bool(matcher(WatchPath.model_validate(spec))(name)) is counts


def test_an_expression_of_another_language_is_told():
    with pytest.raises(Permanent, match="pathRegexp"):
        matcher(WatchPath.model_validate({"directory": "/d", "pathRegexp": "(?=x)"}))


def test_the_payload_is_upstreams():
    assert payload("/test-data/x.txt", "CREATE", {}) == b'{"name":"/test-data/x.txt","op":1,"metadata":null}'
    assert payload("x", "REMOVE", {"team": "etl"}) == b'{"name":"x","op":4,"metadata":{"team":"etl"}}'
    assert payload("caf\udce9", "CHMOD", {}) == '{"name":"caf�","op":16,"metadata":null}'.encode()
