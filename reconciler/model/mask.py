"""Hides secret-looking values in whatever is shown: `TOKEN=x` becomes `TOKEN=` and a digest.

The hex is a keyed digest: equal values look equal and different ones different, and neither can be guessed offline.
The last line of defence only: manifests hold references, so a plan should not hold a secret in the first place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

from reconciler.model.data import Json, blake2b, canonical_text
from reconciler.model.frozen import dataclass
from reconciler.model.lazy import pattern

_STAND_IN = "\u2039masked [0-9a-f]{8}\u203a"
_MASKED = pattern(f"({_STAND_IN})")
_SAFE = "[A-Za-z0-9_@+=:,./-]*"
_NEEDLESS = pattern(f"'({_SAFE}(?:{_STAND_IN}{_SAFE})+)'")  # quotes that only the mask's own space needs
_WORD = r"""(?:"[^"]*"|'[^']*'|\\.|[^\s'"\\;&|()<>\u2039])+"""
_NAME = r"[A-Za-z_][\w.-]*"


@dataclass(frozen=True, slots=True)
class _Form:
    """How a secret is introduced, and what it may consist of. With `names`, only a secret name introduces one."""

    start: re.Pattern[str]
    value: re.Pattern[str]
    names: bool = True
    quote: str = ""  # opened before the name, closed by the value


_FORMS = (
    *(  # 'NAME=value', quoted as a whole: the value ends with the quote, or goes on in another one
        _Form(
            pattern(rf"{quote}(?P<name>-{{0,2}}{_NAME})="),
            pattern(rf"[^{quote}\u2039]+{quote}(?:{_WORD})?", re.DOTALL),
            quote=quote,
        )
        for quote in "'\""
    ),
    # "name": "value"
    _Form(pattern(rf'(?P<name>"{_NAME}")\s*:\s*"'), pattern(r'(?:[^"\\]|\\.)+(?=")', re.DOTALL)),
    # NAME=value, --name=value, --name value
    _Form(pattern(rf"(?<![\w.-])(?P<name>-{{0,2}}{_NAME})="), pattern(_WORD, re.DOTALL)),
    _Form(pattern(rf"(?<![\w.-])(?P<name>--{_NAME})\s+"), pattern(rf"(?!-){_WORD}", re.DOTALL)),
    # Authorization: Bearer value, X-Api-Key: value
    _Form(
        pattern(r"authorization\s*[:=]\s*(?:(?:bearer|basic|token|digest)\s+)?", re.IGNORECASE),
        pattern(r"""(?!(?:bearer|basic|token|digest)\b)[^\s'"\u2039]+""", re.IGNORECASE),
        names=False,
    ),
    _Form(pattern(r"(?<![\w.-])(?P<name>X-[\w-]+):\s*", re.IGNORECASE), pattern(r"""[^\s'"\u2039]+""")),
    # scheme://user:password@host
    _Form(pattern(r"""://[^\s/:@'"]*:"""), pattern(r"""[^\s/'"\u2039]+(?=@)"""), names=False),
    # values whose shape gives them away: GitHub, Slack, AWS, JSON web tokens, Telegram bots
    _Form(
        pattern(r"(?:(?<![\w-])|(?<=bot))(?=gh[pousr]_|github_pat_|xox[abeprs]-|AKIA|eyJ|\d{8,10}:)"),
        pattern(
            r"(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|xox[abeprs]-[\w-]{10,}|AKIA[0-9A-Z]{16}"
            r"|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{4,}|\d{8,10}:[\w-]{35})(?![A-Za-z0-9_])"
        ),
        names=False,
    ),
)
# What clears almost every text: without any of these in lower case, no form above can match and no name is secret.
# Looking for each by itself is many times faster than one pattern with alternatives.
_TELLING = (
    *("pass", "secret", "token", "key", "pwd", "authorization", "://"),
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "_pat_", "xox", "akia", "eyj"),
)
_BOT = pattern(r"\d:[\w-]{35}")

_WORDS = pattern(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET_WORDS = frozenset(
    {"password", "passwd", "passphrase", "passcode", "secret", "token", "pass", "pwd", "apikey"}
)
_SECRET_ENDS = ("password", "passwd", "passphrase", "apikey", "secret", "token")
_KEY_OWNERS = frozenset({"api", "access", "private", "secret", "encryption", "signing", "auth", "account", "master"})
_HARMLESS_ENDS = frozenset(
    {"file", "path", "dir", "directory", "folder", "name", "url", "uri", "id", "ids", "ttl", "expiry", "expires"}
    | {"length", "count", "limit", "size", "type", "policy", "command", "cmd", "version", "env", "prompt", "field"}
    | {"header", "label", "min", "max", "attempts"}
)


class Mask:
    """Masks with one key, so that digests agree within a plan, and between the plan and its saved copy."""

    __slots__ = ("_key",)

    def __init__(self, key: str) -> None:
        self._key = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=32).digest()

    def text(self, text: str) -> str:
        """The text with secret-looking values masked. Idempotent."""
        if not _suspect(text):
            return text
        while True:
            masked = "".join(
                part if index % 2 else self._part(part) for index, part in enumerate(_MASKED.split(text))
            )
            if masked == text:
                return _NEEDLESS.sub(r"\1", text)
            text = masked

    def json(self, value: Json) -> Json:
        """The value with masked strings: by their own look, by the key they stand under, or by the flag before."""
        return self._parts(value) if _suspect(canonical_text(value)) else value

    def _parts(self, value: Json) -> Json:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.under(key, item) for key, item in value.items()}
        if isinstance(value, Sequence):
            return self._list(value)
        return value

    def under(self, name: str, value: Json) -> Json:
        """The value as it may be shown under that name."""
        if secret_name(name) and value not in (None, "", True, False):
            return self._masked(value)
        return self._parts(value)

    def at(self, path: Sequence[str], value: Json) -> Json:
        """The value as it may be shown at that path: any name on the way may be the secret one."""
        shown = self.json(value)
        for name in path:
            shown = self.under(name, shown)
        return shown

    def _list(self, items: Sequence[Json]) -> Json:
        shown: list[Json] = []
        flag = False
        for item in items:
            masked = flag and isinstance(item, str) and not item.startswith("-")
            shown.append(self._masked(item) if masked else self._parts(item))
            flag = isinstance(item, str) and item.startswith("--") and "=" not in item and secret_name(item)
        return shown

    def _masked(self, value: Json) -> str:
        if isinstance(value, str) and _MASKED.fullmatch(value):
            return value
        text = value if isinstance(value, str) else canonical_text(value)
        content = text.encode("utf-8", "surrogatepass")
        return f"\u2039masked {blake2b(content, digest_size=4, key=self._key).hexdigest()}\u203a"

    def _part(self, text: str) -> str:
        """One stretch of text that holds no mask yet; stops after the first form that masked something."""
        for form in _FORMS:
            pieces: list[str] = []
            done = 0
            for found in form.start.finditer(text):
                if found.start() < done or (form.names and not secret_name(found["name"])):
                    continue
                value = form.value.match(text, found.end())
                if value is not None:
                    pieces += (text[done : value.start()], self._masked(_unquoted(form.quote + value[0])), form.quote)
                    done = value.end()
            if pieces:
                return "".join(pieces) + text[done:]
        return text


def _suspect(text: str) -> bool:
    """Whether it needs a closer look. JSON writes all that is looked for as it stands."""
    lower = text.lower()
    for word in _TELLING:
        if word in lower:
            return True
    return ":" in lower and _BOT.search(lower) is not None


@lru_cache(maxsize=1024)
def secret_name(name: str) -> bool:
    """Whether a value under this name should not be shown: `TOKEN`, `dbPassword`, `--api-key`; not `TOKEN_FILE`."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or words[-1] in _HARMLESS_ENDS or words in (["pwd"], ["oldpwd"], ["old", "pwd"]):
        return False
    if any(word in _SECRET_WORDS or word.endswith(_SECRET_ENDS) for word in words):
        return True
    return any(owner in _KEY_OWNERS and key == "key" for owner, key in pairwise(words))


_QUOTED = pattern(r"""'([^']*)'|"([^"]*)"|\\(.)""", re.DOTALL)


def _unquoted(value: str) -> str:
    """The value as a crontab's shell would read it, so that one secret has one digest however it is quoted."""
    plain = _QUOTED.sub(lambda match: next(part for part in match.groups() if part is not None), value)
    return plain.replace("\\%", "%")
