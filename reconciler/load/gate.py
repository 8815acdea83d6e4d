"""The everyday subset of YAML on which two independent readers agree: a pure textual test.

Whatever is not plainly in it (tags, anchors, block scalars, odd numbers, wrapped text) goes to the reference reader.
"""

from __future__ import annotations

import re

_ODD = re.compile("[^\n\x20-\x7e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")

_DOUBLE = r'"(?:[^"\\\n]|\\["\\nt])*+"'
_SINGLE = r"'(?:[^'\n]|'')*+'"
_NUMBER = r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,6})?"
_DURATION = r"(?:[0-9]{1,9}(?:ms|[smhd]))++"
_START = r"(?:[A-Za-z_]|--?[A-Za-z]|(?:~|\.\.?|\$[A-Za-z_]+)?/)"
_PLAIN = _START + r"(?:[^\n:#]|:(?=[^ \n])|(?<=[^ \n])#)*+"
_CRON = r"[0-9][0-9,/*-]*+(?: [0-9A-Za-z,/*-]++){4}"
_END = r"(?= *(?:\n|\Z| #))"
_FLOW_WORD = _START + r"[A-Za-z0-9_./@%+=~-]*+(?: [A-Za-z0-9_./@%+=~-]++)*+"
_FLOW_END = r"(?= *[,\]}])"
_FLOW_ITEM = rf"(?:{_DOUBLE}|{_SINGLE}|{_FLOW_WORD}{_FLOW_END}|(?:{_NUMBER}|{_DURATION}){_FLOW_END})"
_FLOW_LIST = rf"\[ *(?:{_FLOW_ITEM}(?: *, *{_FLOW_ITEM})*+)? *\]"
_KEY = r"(?!(?i:true|false|null):)[A-Za-z_][A-Za-z0-9_./-]*+:"
_FLOW_PAIR = rf"{_KEY} +(?:{_FLOW_ITEM}|{_FLOW_LIST})"
_FLOW_MAP = rf"\{{ *(?:{_FLOW_PAIR}(?: *, *{_FLOW_PAIR})*+)? *\}}"
_VALUE = rf"(?:{_DOUBLE}|{_SINGLE}|{_FLOW_LIST}|{_FLOW_MAP}|(?:{_NUMBER}|{_DURATION}|{_CRON}){_END}|{_PLAIN})"
_ENTRY = rf" *+(?:(?:- +)*+{_KEY}(?: +{_VALUE})?|(?:- +)++{_VALUE})"
_COMMENT = r"(?:(?:(?<= )|(?<=\n)|(?<!.))#[^\n]*+)?"
_LINE = rf"(?:(?:---(?![^ \n])|{_ENTRY})? *+{_COMMENT})"
_EVERYDAY = re.compile(rf"(?:{_LINE}(?:\n|\Z))*+\Z")
_CONTENT = re.compile(r"^(?:(---)| *[^ #\n])", re.MULTILINE)


def everyday(text: str) -> bool:
    """Whether the text lies in the subset."""
    return _ODD.search(text) is None and _EVERYDAY.match(text) is not None


def document_lines(text: str) -> list[int]:
    """The line of the first content of each document that has any, for text in the subset."""
    found: list[int] = []
    fresh = True
    for match in _CONTENT.finditer(text):
        if match[1]:
            fresh = True
        elif fresh:
            found.append(text.count("\n", 0, match.start()) + 1)
            fresh = False
            if "\n---" not in text:
                break
    return found
