"""`dataclass(slots=True)`, frozen or not, as the standard library makes it; `__init__` is compiled when it is called.

The standard library compiles six functions for each class, a third of a millisecond, and a command imports a hundred
classes of which it makes a few. Only fields, defaults, factories, `init`, `repr` and `__post_init__` are known here.
"""

from __future__ import annotations

import dataclasses
from operator import attrgetter
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(*, slots: bool, frozen: bool = False) -> Any:
        """Like its namesake. Annotations of a class that uses it need not resolve."""
        if not slots:
            raise TypeError("only classes with slots are made here")
        return lambda cls: _made(cls, frozen)


def _made(cls: type, frozen: bool) -> type:
    given = frozenset(vars(cls))
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    methods = {"__init__": _first_init(made), "__repr__": _repr, **_compared(made, frozen)}
    if frozen:
        methods |= {"__setattr__": _no_assignment, "__delattr__": _no_deletion}
        methods |= {"__getstate__": _values, "__setstate__": _restore}
    for name, method in methods.items():
        if name not in given:
            setattr(made, name, method)
    return made  # type: ignore[no-any-return]


def _compared(made: type, frozen: bool) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(made)]
    values: Any = attrgetter(*names) if names else lambda _self: ()

    def __eq__(self: Any, other: Any) -> bool:  # noqa: N807
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: Any) -> int:  # noqa: N807
        return hash(values(self))

    return {"__eq__": __eq__, "__hash__": __hash__ if frozen else None}


def _first_init(made: Any) -> Any:
    def __init__(self: Any, *args: Any, **given: Any) -> None:  # noqa: N807
        made.__init__ = _compiled(made)
        made.__init__(self, *args, **given)

    return __init__


def _compiled(made: type) -> Any:
    """The `__init__` that assigns each field; object's own assignment, because a frozen class refuses others."""
    names: dict[str, Any] = {"_set": object.__setattr__, "_unset": dataclasses.MISSING}
    arguments, lines = ["self"], []
    for number, field in enumerate(dataclasses.fields(made)):
        name, default = field.name, f"_default{number}"
        if field.default is not dataclasses.MISSING:
            names[default] = field.default
            argument, value, alone = f"{name}={default}", name, default
        elif field.default_factory is not dataclasses.MISSING:
            names[default] = field.default_factory
            argument, value, alone = f"{name}=_unset", f"{default}() if {name} is _unset else {name}", f"{default}()"
        else:
            argument, value, alone = name, name, ""
        arguments += [argument] if field.init else []
        if assigned := value if field.init else alone:
            lines.append(f" _set(self, {name!r}, {assigned})")
    lines += [" self.__post_init__()"] if hasattr(made, "__post_init__") else [" return None"]
    exec(f"def __init__({', '.join(arguments)}):\n" + "\n".join(lines), names)  # noqa: S102 - names of fields only
    return names["__init__"]


def _values(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _restore(self: Any, values: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), values, strict=True):
        object.__setattr__(self, field.name, value)


def _repr(self: Any) -> str:
    shown = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _no_assignment(self: Any, name: str, value: object) -> None:  # noqa: ARG001
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _no_deletion(self: Any, name: str) -> None:  # noqa: ARG001
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
