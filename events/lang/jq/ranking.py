"""jq's order at work: the least, the greatest, sorted, grouped and distinct elements of an array.

All take the elements and, in parallel, what they are ranked by.
"""

from __future__ import annotations

from events.lang.jq.values import Value, compare, sorted_pairs


def least(values: list[Value], ranks: list[Value]) -> Value:
    """The first element of the lowest rank."""
    best = 0
    for at in range(1, len(values)):
        if compare(ranks[best], ranks[at]) > 0:
            best = at
    return values[best] if values else None


def greatest(values: list[Value], ranks: list[Value]) -> Value:
    """The last element of the highest rank."""
    best = 0
    for at in range(1, len(values)):
        if compare(ranks[best], ranks[at]) <= 0:
            best = at
    return values[best] if values else None


def by_rank(values: list[Value], ranks: list[Value]) -> list[Value]:
    return [value for _, value in sorted_pairs(values, ranks)]


def groups(values: list[Value], ranks: list[Value]) -> list[list[Value]]:
    """The elements in one array for each rank, by rank."""
    grouped: list[list[Value]] = []
    last: Value = None
    for rank, value in sorted_pairs(values, ranks):
        if not grouped or compare(last, rank) != 0:
            grouped.append([])
        grouped[-1].append(value)
        last = rank
    return grouped


def distinct(values: list[Value], ranks: list[Value]) -> list[Value]:
    """The first element of each rank, by rank."""
    return [group[0] for group in groups(values, ranks)]
