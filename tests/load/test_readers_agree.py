"""The fast reader either says what the reference reader says, or declines."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from reconciler.load.gate import everyday
from reconciler.load.parse import read_fast, read_reference
from reconciler.load.text import decode
from tests.load.build import manifest

pytest.importorskip("ryaml")

SCALARS = [
    "a", "no", "on", "~", "null", "True", "012", "08", "1_000", "1.10", "1e3", "-0", "+5", "-5", "0x1F", "0o17",
    "0b1", ".5", "5.", ".inf", "2026-01-01", "12:30", "5m", "1h30m", "1d", "0 6 * * *", "*/5 * * * *", "@daily",
    "0 6 * * 1-5", "a b c", "a: b", "a:b", "a #b", "a#b", "'it''s'", '"x"', '"x\\ny"', '"\\u0041"', '"a" b',
    "&x a", "*x", "!t a", "|", ">", "- a", "-a", "--a", "-", "?", "? a", "%a", "`a`", "{a: b}", "[a, b]",
    "[a, 'b', \"c\", 1, 5m, 012]", "{a: 1, b: [x, y]}", "{a: b, a: c}", "[a,, b]", "[a, ]", "[ ]", "{ }",
    "[-1, - 1]", "http://x:80/y", "[http://x:80/y]", "[::1]", "~/x", "./x", "$HOME/x", "../x y", "=", "<<",
    "a,b", "a]", "99999999999999999999", "0.1", "-0.5", "00", "1.50", "ä", "\u2028", "x\ty", "a\u00a0b", "é: ü",
    "-- a", "",
]  # fmt: skip
KEYS = [
    "a",
    "b",
    "c.d",
    "e-f",
    "g/h",
    "no",
    "true",
    "Null",
    "1",
    "~",
    "'q'",
    '"r"',
    "<<",
    "? s",
    "t u",
    "é",
    "-v",
    "null2",
]

scalar = st.one_of(st.sampled_from(SCALARS), st.text(alphabet="ab01:#-'\"{}[],&*!|>?%@ ~.\\/=<", max_size=6))


@st.composite
def line(draw: st.DrawFn) -> str:
    indent = " " * draw(st.sampled_from([0, 0, 0, 2, 2, 4, 1]))
    dashes = "- " * draw(st.sampled_from([0, 0, 0, 1, 1, 2]))
    comment = draw(st.sampled_from(["", "", "", " # c", "#c", "  "]))
    kind = draw(st.sampled_from(["pair", "pair", "pair", "open", "item", "blank", "rule"]))
    if kind == "pair":
        return f"{indent}{dashes}{draw(st.sampled_from(KEYS))}: {draw(scalar)}{comment}"
    if kind == "open":
        return f"{indent}{dashes}{draw(st.sampled_from(KEYS))}:{comment}"
    if kind == "item":
        return f"{indent}{dashes or '- '}{draw(scalar)}{comment}"
    return "---" + comment if kind == "rule" else draw(st.sampled_from(["", "# c", "  # c", "  "]))


texts = st.one_of(
    st.lists(line(), max_size=9).map("\n".join),
    st.lists(line(), max_size=9).map(lambda lines: "\n".join(lines) + "\n"),
    st.text(alphabet="ab:#- \n'\"{}[],1", max_size=24),
)


PLAIN = [
    "a",
    "b c",
    "no",
    "5m",
    "12",
    "-3",
    "1.5",
    "0 6 * * 1-5",
    "'it''s'",
    '"x # y"',
    '"\\n"',
    "a:b",
    "a#b",
    "~/x",
    "-v",
    "true",
]
FLOW = ["[]", "[a, b]", "[1, 'x', -v]", "{}", "{a: 1}", "{a: [x, 5m], b: c d}", "[/bin/sh, -c]", "[true, null]"]
ends = st.sampled_from(["", "", "", "", " ", " # c", "  # c: d"])


@st.composite
def block(draw: st.DrawFn, depth: int, indent: int) -> list[str]:
    """Lines of a well-formed block mapping or list."""
    pad, lines = " " * indent, []
    is_list = depth > 0 and draw(st.booleans())
    for index in range(draw(st.integers(1, 3))):
        head = f"{pad}-" if is_list else f"{pad}{draw(st.sampled_from(['a', 'b.c', 'no', 'e/f']))}{index}:"
        if depth < 3 and draw(st.booleans()):
            inner = draw(block(depth + 1, indent + draw(st.sampled_from([2, 2, 3, 4]))))
            if is_list:
                width = len(inner[0]) - len(inner[0].lstrip(" "))
                lines += [head.ljust(width) + inner[0][width:], *inner[1:]]
            else:
                lines += [head + draw(ends), *inner]
        else:
            value = draw(st.sampled_from(PLAIN + FLOW + ([] if is_list else [""])))
            lines.append(f"{head} {value}{draw(ends)}" if value else head + draw(ends))
        lines += draw(st.sampled_from([[], [], [], [""], ["# c"], [f"{pad}# c"], ["   "]]))
    return lines


@st.composite
def files(draw: st.DrawFn) -> str:
    """Well-formed files, and some with one line moved or lost."""
    lines = draw(st.sampled_from([[], ["---"], ["# head", "", "--- # c"]]))
    for _ in range(draw(st.integers(1, 3))):
        lines = [*lines, *draw(block(0, 0)), "---"]
    lines = lines[: draw(st.sampled_from([-1, len(lines)]))]
    if draw(st.booleans()):
        index = draw(st.integers(0, len(lines) - 1))
        change = draw(st.sampled_from(["  {}", " {}", "{}\n", "", "{} x", "- {}", "x: {}"]))
        lines = [*lines[:index], change.format(lines[index]), *lines[index + 1 :]]
    return "\n".join(lines) + draw(st.sampled_from(["", "\n", "\n\n"]))


def reference(text: str) -> list[tuple[int, object]] | None:
    source, unreadable = decode("f", text.encode())
    if unreadable:
        return None
    nodes, problems = read_reference(source)
    return None if problems else [(node.line, node.plain()) for node in nodes]


def check(text: str) -> None:
    fast = read_fast(text)
    if fast is not None:
        assert repr(fast) == repr(reference(text))


@settings(max_examples=800, deadline=None)
@given(texts)
@example("a: b\n  - c\n")
@example("- a\n  - b\n")
@example("a: b # x\n  - c\n")
@example("a:\n  ---\n")
@example("---\n# c\n\n---\na: b\n")
def test_both_readers_agree_or_the_fast_one_declines(text: str) -> None:
    check(text)


@settings(max_examples=500, deadline=None)
@given(files())
def test_structured_files_agree(text: str) -> None:
    check(text)


@settings(max_examples=600, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), scalar), min_size=1, max_size=5), st.sampled_from([0, 2, 4]))
def test_well_formed_mappings_agree(pairs: list[tuple[str, str]], indent: int) -> None:
    text = "top:\n" + "".join(
        f"{' ' * (indent + 2)}{key}{index}: {value}\n" for index, (key, value) in enumerate(pairs)
    )
    assume("\n" not in "".join(value for _, value in pairs))
    check(text)


@pytest.mark.parametrize("value", SCALARS)
@pytest.mark.parametrize(
    "frame", ["a: {}\n", "- {}", "a:\n  - {}\n  - b\n", "a: [{}]\n", "a: {{b: {}}}\n", "a: {} # c\n"]
)
def test_every_odd_scalar_agrees_in_every_position(frame: str, value: str) -> None:
    check(frame.format(value))


def test_an_everyday_manifest_is_read_fast() -> None:
    extra = (
        "  environment:\n    LOG_LEVEL: info # why\n  workingDirectory: ~/atlas\n"
        "  verify:\n    within: 30s\n    probes:\n      - exec: [/bin/true, -v]\n      - {tcp: 'localhost:80'}\n"
        "  dependsOn: [Automation/other]\n"
    )
    text = f"# head\n---\n{manifest('a', extra=extra)}---\n{manifest('b', schedule='0 6 * * 1-5')}"
    assert everyday(text)
    fast = read_fast(text)
    assert fast is not None
    assert [number for number, _ in fast] == [3, 19]
    assert repr(fast) == repr(reference(text))


@pytest.mark.parametrize(
    "text",
    [
        "a: &x b", "a: *x", "a: !t b", "a: |\n  b\n", "a: >\n  b\n", "%YAML 1.2\n---\na: b", "? a", "a:\tb",
        "<<: a", "a: b\r\n", "a: 012", "a: 1_0", "a: ~", "1: a", "true: a", "a: b\n  c\n", "a: 'b\n  c'",
        "--- a", "...", "a: .5", "a: \x85", "a: \u2028", "\ufeffa: b",
    ],
)  # fmt: skip
def test_the_gate_lets_nothing_unusual_through(text: str) -> None:
    assert not everyday(text)
    assert read_fast(text) is None


def test_the_gate_takes_time_in_proportion_to_the_text() -> None:
    import time

    def seconds(count: int) -> float:
        text = (
            "a: "
            + "b c: " * count
            + "\n"
            + "x: ["
            + "a, " * count
            + "\n"
            + "- " * count
            + "\n"
            + "y: '"
            + "''" * count
        )
        start = time.perf_counter()
        everyday(text)
        return time.perf_counter() - start

    seconds(1000)
    assert seconds(160_000) < 1.0
