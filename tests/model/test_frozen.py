"""Our frozen classes behave as those of the standard library, and are compiled when the first instance is made."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError, field, replace
from typing import Any, ClassVar

import pytest

from reconciler.model.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Ours:
    """One of each."""

    name: str
    count: int = 0
    words: list[str] = field(default_factory=list)
    secret: str = field(default="", repr=False)
    limit: ClassVar[int] = 7

    @property
    def twice(self) -> int:
        return 2 * self.count


@dataclasses.dataclass(frozen=True, slots=True)
class Theirs:
    """The same, by the standard library."""

    name: str
    count: int = 0
    words: list[str] = field(default_factory=list)
    secret: str = field(default="", repr=False)
    limit: ClassVar[int] = 7


@dataclass(slots=True)
class Open:
    """Not frozen, and it works out a field by itself."""

    name: str
    length: int = field(init=False)
    seen: int = field(default=4, init=False)
    found: list[str] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        self.length = len(self.name)


@dataclass(frozen=True, slots=True)
class One:
    name: str


@dataclass(frozen=True, slots=True)
class Other:
    name: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """No field at all."""


def both(act: Any) -> list[object]:
    """What the two classes make of it, without their names."""
    return [str(act(cls)).replace(cls.__name__, "It") for cls in (Ours, Theirs)]


@pytest.mark.parametrize(
    "act",
    [
        lambda cls: cls("a", 2, secret="x"),
        lambda cls: replace(cls("a", 2), count=3),
        lambda cls: cls("a") == cls("a", 0, []),
        lambda cls: cls("a") == cls("b"),
        lambda cls: cls("a") == "a",
        lambda cls: hash(cls("a", 1, (), "")) == hash(cls("a", 1, (), "")),
        lambda cls: dataclasses.asdict(cls("a", 1, ["w"])),
        lambda cls: copy.deepcopy(cls("a", 1, ["w"])),
        lambda cls: pickle.loads(pickle.dumps(cls("a", 1, ["w"]))),
        lambda cls: cls.__match_args__,
        lambda cls: cls.__slots__,
        lambda cls: [each.name for each in dataclasses.fields(cls)],
        lambda cls: cls("a").words is cls("a").words,
        lambda cls: cls.limit,
    ],
)
def test_it_is_as_the_standard_library_makes_it(act: Any) -> None:
    ours, theirs = both(act)
    assert ours == theirs


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda one: setattr(one, "count", 2), FrozenInstanceError),
        (lambda one: setattr(one, "unknown", 2), (FrozenInstanceError, TypeError)),
        (lambda one: delattr(one, "count"), FrozenInstanceError),
        (hash, TypeError),
        (lambda one: type(one)(), TypeError),
        (lambda one: type(one)("a", unknown=1), TypeError),
        (lambda one: type(one)("a", name="b"), TypeError),
    ],
)
def test_it_refuses_what_the_standard_library_refuses(act: Any, error: type[Exception]) -> None:
    for cls in (Ours, Theirs):
        with pytest.raises(error):
            act(cls("a"))


def test_an_open_one_can_be_assigned_and_not_be_hashed() -> None:
    one = Open("abc")
    one.name = "b"
    assert (one, one.length) == (one, 3)
    assert repr(one) == "Open(name='b', length=3, seen=4)"
    assert one.found == []
    assert one.found is not Open("abc").found
    with pytest.raises(TypeError):
        Open("abc", 3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


def test_classes_with_the_same_fields_are_not_equal() -> None:
    assert One("a") != Other("a")
    assert len({One("a"), One("a"), Other("a")}) == 2
    assert Nothing() == Nothing()
    assert hash(Nothing()) == hash(Nothing())


def test_nothing_is_compiled_before_the_first_instance() -> None:
    @dataclass(frozen=True, slots=True)
    class Late:
        name: str

    before = Late.__init__
    Late("a")
    assert Late.__init__ is not before
    assert Late.__init__.__code__.co_varnames == ("self", "name")


def test_a_class_without_slots_is_not_made_here() -> None:
    with pytest.raises(TypeError, match="slots"):
        dataclass(frozen=True, slots=False)
