"""What a poll remembers, against a plain model: a store that changes in any way loses no object."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from events.clients.s3_seen import Listed, Seen


def thing(key: str, changed_ms: int, etag: str = "e") -> Listed:
    return Listed(key, etag, changed_ms, 1)


def tell(seen: Seen, listing: list[Listed]) -> list[Listed]:
    """One round: what is new is told."""
    new = [one for one in listing if one not in seen]
    for one in new:
        seen.add(one)
    seen.settle({one.identity: one.changed_ms for one in listing if one.changed_ms > seen.floor_ms})
    return new


def test_objects_of_one_second_that_show_up_one_after_the_other():
    seen = Seen("s")
    assert tell(seen, [thing("a", 1000)]) == [thing("a", 1000)]
    assert tell(seen, [thing("a", 1000), thing("b", 1000)]) == [thing("b", 1000)]
    assert tell(seen, [thing("a", 1000), thing("b", 1000)]) == []


def test_an_object_that_is_dated_back_and_one_written_again():
    seen = Seen("s")
    tell(seen, [thing("a", 5000)])
    assert tell(seen, [thing("a", 5000), thing("large", 1000)]) == [thing("large", 1000)]
    assert tell(seen, [thing("a", 6000, "f"), thing("large", 1000)]) == [thing("a", 6000, "f")]
    assert tell(seen, [thing("a", 6000, "g"), thing("large", 1000)]) == [thing("a", 6000, "g")]


def test_what_is_gone_is_forgotten():
    seen = Seen("s")
    tell(seen, [thing("a", 1), thing("b", 2)])
    tell(seen, [thing("b", 2)])
    assert len(seen) == 1


def test_above_the_bound_the_floor_rises_by_whole_moments():
    seen = Seen("s", kept=3)
    listing = [thing("a", 1), thing("b", 2), thing("c", 2), thing("d", 2), thing("e", 3)]
    assert tell(seen, listing) == listing
    assert (seen.floor_ms, len(seen)) == (1, 4), "b, c and d changed in one moment"
    assert tell(seen, [*listing, thing("late", 2)]) == [thing("late", 2)]
    assert tell(seen, [*listing, thing("late", 2), thing("too late", 1)]) == []


def test_the_floor_stays_below_what_is_listed_and_not_told_yet():
    seen = Seen("s", kept=1)
    told = [thing("a", 1), thing("b", 2), thing("c", 9)]
    for one in told:
        seen.add(one)
    seen.settle({one.identity: one.changed_ms for one in told}, untold_ms=2)
    assert seen.floor_ms == 1
    assert thing("untold", 2) not in seen


def test_the_cursor_holds_it_all_and_is_of_one_scope():
    seen = Seen("s", kept=2)
    tell(seen, [thing("a", 1), thing("b", 2), thing("c", 3)])
    again = Seen.read("s", seen.cursor())
    assert again is not None
    assert (again.floor_ms, again.cursor()) == (1, seen.cursor())
    assert thing("c", 3) in again
    assert Seen.read("another", seen.cursor()) is None
    assert Seen.read("s", None) is None
    assert Seen.read("s", b"of another kind") is None


STORES = st.lists(
    st.dictionaries(
        st.sampled_from("abcdefgh"), st.tuples(st.integers(0, 3), st.sampled_from("xy")), max_size=8
    ),
    max_size=8,
)


@given(stores=STORES, restarts=st.lists(st.booleans(), min_size=8, max_size=8))
def test_every_version_that_a_listing_shows_is_told_once(
    stores: list[dict[str, tuple[int, str]]], restarts: list[bool]
):
    """A version that is gone for a whole listing and comes back unchanged may be told again."""
    seen, model = Seen("s"), set[Listed]()
    for store, restart in zip(stores, restarts, strict=False):
        listing = [thing(key, changed, etag) for key, (changed, etag) in store.items()]
        assert set(tell(seen, listing)) == set(listing) - model
        model = set(listing)
        if restart:
            read = Seen.read("s", seen.cursor())
            assert read is not None
            seen = read
