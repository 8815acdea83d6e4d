"""Our own field diff, held against deepdiff: both name the same attributes for the same two states."""

from __future__ import annotations

from deepdiff import DeepDiff
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.change import field_diffs
from reconciler.model.state import State

_values = st.one_of(st.integers(2, 5), st.text("ab", max_size=2), st.lists(st.text("ab", max_size=1), max_size=2))
_attributes = st.dictionaries(
    st.sampled_from(["schedule", "command", "environment"]),
    _values | st.dictionaries(st.sampled_from(["LOG", "N"]), _values, max_size=2),
    max_size=3,
)


@given(_attributes, _attributes)
def test_the_same_attributes_differ(before: dict[str, object], after: dict[str, object]) -> None:
    ours = {diff.path for diff in field_diffs(State(before), State(after))}  # type: ignore[arg-type]
    theirs: set[tuple[str, ...]] = set()
    for group in DeepDiff(before, after, view="tree", threshold_to_diff_deeper=0).values():
        for level in group:
            path = [part for part in level.path(output_format="list") if isinstance(part, str)]
            theirs.add(tuple(path))
    # a whole map that comes or goes is one difference to deepdiff, and one per attribute to nobody
    assert {path[:1] for path in ours} == {path[:1] for path in theirs}
    if not ours:
        assert before == after
