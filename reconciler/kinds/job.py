"""How one run of an automation is bounded, judged and recorded: what the runner reads before it starts the command.

The fields that a person writes, and `Execution.job`, the document that the runner gets for them.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema, model_validator

from reconciler.kinds.common import CommonSpec
from reconciler.kinds.fields import Command, Duration, Invalid, Model, Pattern, Text, one_of, text, type_name
from reconciler.kinds.json_schema import judgeable
from reconciler.model.data import Json
from reconciler.model.duration import parse_duration

SIGNALS = ("SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGKILL")
_SIZE = re.compile(r"([0-9]+)(B|KiB|MiB|GiB|TiB)")
_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_TIMES = re.compile(r"([0-9]+(?:\.[0-9]+)?)x")
_PERCENT = re.compile(r"([0-9]{1,5})%")
_UMASK = re.compile(r"0?[0-7]{3}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _size(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        raise Invalid(f"{value} has no unit", hint=f"write {value}B, or for example 512MiB")
    match = _SIZE.fullmatch(text(value, what="a size such as 10MiB"))
    if match is None:
        raise Invalid(f"{value!r} is not a size", hint="write for example 512MiB or 2GiB")
    return int(match[1]) * _UNITS[match[2]]


def _percent(value: object) -> int:
    match = _PERCENT.fullmatch(text(value, what="a share such as 80%"))
    if match is None or int(match[1]) == 0:
        raise Invalid(
            f"{value!r} is not a share of a processor", hint="write for example 80%, or 200% for two of them"
        )
    return int(match[1])


def _kill_after(value: object) -> float | str:
    found = text(value, what="a duration, or a multiple such as 2x")
    if match := _TIMES.fullmatch(found):
        if float(match[1]) < 1:
            raise Invalid("must be at least 1x", hint="2x is twice the expected runtime")
        return found
    return parse_duration(found)


def _umask(value: object) -> str:
    if not isinstance(value, str) or _UMASK.fullmatch(value) is None:
        raise Invalid(
            f"must be three octal digits in quotes, found {type_name(value)}", hint='write for example "027"'
        )
    return value[-3:]


def _variable(name: str) -> str:
    if _VARIABLE.fullmatch(name) is None:
        raise Invalid(f"{name!r} is not a variable name", hint="use letters, digits and _, not a digit first")
    return name


def _stdin(value: object) -> str | dict[str, str]:
    if isinstance(value, dict) and set(value) == {"file"}:
        return {"file": text(value["file"], what="a path", path=("file",))}
    if isinstance(value, str) and "\0" not in value:
        return value
    raise Invalid(f"must be text or a mapping with file, found {type_name(value)}")


def _judgeable(schema: dict[str, Any]) -> dict[str, Any]:
    judgeable(schema)
    return schema


def _word(*choices: str) -> Any:
    return (PlainValidator(one_of(*choices)), WithJsonSchema({"enum": list(choices)}))


def _shaped(pattern: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": list(examples)})


Size = Annotated[int, PlainValidator(_size), _shaped(f"^{_SIZE.pattern}$", "512MiB", "2GiB")]
Percent = Annotated[int, PlainValidator(_percent), _shaped(f"^{_PERCENT.pattern}$", "80%")]
KillAfter = Annotated[Any, PlainValidator(_kill_after), WithJsonSchema({"type": "string", "examples": ["2x", "10m"]})]
Umask = Annotated[str, PlainValidator(_umask), _shaped(f"^{_UMASK.pattern}$", "027")]
StandardInput = Annotated[
    Any,
    PlainValidator(_stdin),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {"file": {"type": "string"}},
                    "required": ["file"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
JsonSchema = Annotated[dict[str, Any], AfterValidator(_judgeable)]
ExitCode = Annotated[int, Field(ge=0, le=255)]


class SecretRef(Model):
    """Where a secret is kept. It is fetched when the run starts, and stands nowhere else."""

    env: Text | None = Field(None, description="A variable of the environment that the scheduler gives.")
    file: Text | None = Field(None, description="A file that holds nothing else; one final newline is dropped.")
    keyring: Text | None = Field(None, description="service/account in the keychain or secret service.")
    envchain: Text | None = Field(None, description="A namespace of envchain that has this variable.")
    exec: Command | None = Field(None, description="A program that prints it.")

    @model_validator(mode="after")
    def _is_one_reference(self) -> SecretRef:
        if len(self.model_fields_set) != 1:
            raise Invalid("must name one place", hint="write one of env, file, keyring, envchain or exec")
        if self.keyring is not None and "/" not in self.keyring:
            raise Invalid(f"{self.keyring!r} is not service/account", path=("keyring",))
        return self


class Runtime(Model):
    """How long a run takes, so that one that hangs or does nothing is noticed."""

    expected: Duration | None = Field(None, description="How long a run usually takes.")
    min: Duration | None = Field(None, description="A run that ends sooner has failed, whatever its exit code.")
    kill_after: KillAfter | None = Field(
        None, description="A run that takes longer is ended: a duration, or a multiple of `expected` such as 2x."
    )

    @model_validator(mode="after")
    def _multiple_of_something(self) -> Runtime:
        if isinstance(self.kill_after, str) and self.expected is None:
            raise Invalid(
                f"{self.kill_after} of what? expected is not given", hint="write expected", path=("killAfter",)
            )
        return self


class Retry(Model):
    """What happens after a run that failed."""

    limit: int = Field(1, ge=0, le=100, description="How often it is tried again.")
    delay: Duration = Field(0, description="How long to wait before that.")


class SuccessOutput(Model):
    """What a run must have printed."""

    matches: Pattern | None = Field(None, description="A regular expression that the output must hold.")
    rejects: Pattern | None = Field(None, description="One that it must not hold; it counts before `matches`.")
    json_schema: JsonSchema | None = Field(
        None, alias="schema", description="A JSON Schema that standard output must follow."
    )


class SuccessFile(Model):
    """A file that a good run leaves behind."""

    path: Text = Field(description="The file; `~` and paths relative to the working directory are understood.")
    max_age: Duration | None = Field(None, description="How old it may be; written during the run if not given.")
    min_size: Size = Field(0, description="How large it must be at least.")


class Success(Model):
    """When a run counts as good."""

    exit_codes: list[ExitCode] = Field(
        default_factory=lambda: [0], min_length=1, description="Exit codes of a good run."
    )
    output: SuccessOutput | None = Field(None, description="What it must have printed.")
    files: list[SuccessFile] = Field(default_factory=list, description="Files that it must have written.")


class Limits(Model):
    """What a run may use, all its processes together."""

    memory: Size | None = Field(None, description="Memory; a run that takes more is ended.")
    cpu: Percent | None = Field(None, description="Processor time; 100% is one processor.")
    nice: Annotated[int, Field(ge=-20, le=19)] | None = Field(None, description="Niceness, 19 is the most modest.")


class Stop(Model):
    """How it is ended."""

    signal: Annotated[str, *_word(*SIGNALS)] = Field("SIGTERM", description="The signal that asks it to end.")
    grace: Duration = Field(10, description="How long it may take before SIGKILL.")


class Output(Model):
    """What is kept of the output of a run."""

    max_size: Size = Field(10 * 2**20, description="Size of its log file; older parts make room.")
    tail: Size = Field(64 * 2**10, description="How much of its end stands in the record of the run.")


class Keep(Model):
    """How many records and logs of runs are kept."""

    runs: int = Field(20_000, ge=1, description="Number of runs; the newest 1000 keep the end of their output.")
    days: int = Field(90, ge=1, description="Age in days.")
    bytes: Size = Field(100 * 2**20, description="Size of their logs, all together.")


class Execution(CommonSpec):
    """Fields about the single run. They reach the command through `reconcile exec`."""

    RUN: ClassVar[frozenset[str]]

    runner: Annotated[str, *_word("on", "off")] = Field(
        "on", description="on: started through `reconcile exec`, which bounds and records it. off: by the scheduler."
    )
    secrets: dict[Annotated[str, AfterValidator(_variable)], SecretRef] = Field(
        default_factory=dict, description="Variables whose values are fetched when a run starts."
    )
    timeout: Duration | None = Field(None, description="A run that takes longer is ended and has failed.")
    runtime: Runtime | None = Field(None, description="How long a run takes.")
    retry: Retry | None = Field(None, description="What happens after a run that failed.")
    overlap: Annotated[str, *_word("skip", "queue", "kill", "allow")] = Field(
        "skip",
        description="What to do while an earlier run is not done: skip, queue, kill that one, or allow both.",
    )
    success: Success | None = Field(None, description="When a run counts as good; exit code 0 if not given.")
    limits: Limits | None = Field(None, description="What a run may use.")
    umask: Umask | None = Field(None, description="Permission bits that new files do not get.")
    stdin: StandardInput | None = Field(None, description="What the command reads: text, or {file: path}.")
    stop: Stop | None = Field(None, description="How a run is ended.")
    output: Output | None = Field(None, description="What is kept of its output.")
    keep: Keep | None = Field(None, description="How many records and logs are kept.")
    start_window: Duration | None = Field(None, description="A run that starts later than this is late.")

    @model_validator(mode="after")
    def _through_the_runner(self) -> Execution:
        wanted = sorted(self.model_fields_set & self.RUN)
        if self.runner == "off" and wanted:
            name = type(self).model_fields[wanted[0]].alias or wanted[0]
            raise Invalid(f"{name} needs the runner, and runner is off", hint="remove runner, or that field")
        return self

    def job(self) -> dict[str, Json]:
        """What the runner is told; empty where nothing but the defaults is asked for. Durations in seconds."""
        found: dict[str, Json] = self.model_dump(by_alias=True, include=set(self.RUN), exclude_unset=True)
        if self.runtime is not None and isinstance(self.runtime.kill_after, str):
            times = float(self.runtime.kill_after.removesuffix("x"))
            found["runtime"] = {**found["runtime"], "killAfter": times * (self.runtime.expected or 0)}  # type: ignore[dict-item]
        return {name: value for name, value in sorted(found.items()) if (name, value) != ("overlap", "skip")}

    def plain(self) -> dict[str, Json]:
        """The kind's own fields, with what the runner is told under `job`."""
        found: dict[str, Json] = self.model_dump(by_alias=True, exclude=self.COMMON | self.RUN)
        if self.model_fields_set & self.RUN and (job := self.job()):
            found["job"] = job
        return found


Execution.RUN = frozenset(Execution.model_fields) - CommonSpec.COMMON - {"runner"}
