"""What `launchctl print` says, in the words of two generations of macOS: nested blocks that are no interface."""

from __future__ import annotations

import plistlib
from collections.abc import Mapping, Sequence
from typing import Any

_NAMES = {78: "EX_CONFIG", 1: "EPERM", 2: "ENOENT"}


def job_text(domain: str, label: str, job: Mapping[str, Any], *, newer: bool) -> str:
    """One job, as `print domain/label` shows it."""
    plist = plistlib.loads(job["plist"].encode())
    code = "(never exited)" if job["exit"] is None else str(job["exit"])
    if newer and job["exit"]:
        code = f"{code}: {_NAMES.get(job['exit'], 'unknown')}"
    state = "running" if job["pid"] else ("not running" if newer else "waiting")
    arguments = plist.get("ProgramArguments") or [plist["Program"]]
    lines = [
        f"{domain}/{label} = {{" if newer else f"{label} = {{",
        f"\tactive count = {1 if job['pid'] else 0}",
        f"\tpath = {job['path']}",
        *(["\ttype = LaunchAgent" if domain != "system" else "\ttype = LaunchDaemon"] if newer else []),
        f"\tstate = {'SIGTERMed' if job['gone_at'] else state}",
        "",
        f"\tprogram = {arguments[0]}",
        "\targuments = {",
        *(f"\t\t{argument}" for argument in arguments),
        "\t}",
        "",
        "\tdefault environment = {",
        "\t\tPATH => /usr/bin:/bin:/usr/sbin:/sbin",
        "\t}",
        "",
        "\tenvironment = {",
        *(f"\t\t{name} => {value}" for name, value in plist.get("EnvironmentVariables", {}).items()),
        f"\t\tXPC_SERVICE_NAME => {label}",
        "\t}",
        "",
        f"\tdomain = {domain if newer else 'com.apple.xpc.launchd.domain.' + domain.replace('/', '.')}",
        "\tminimum runtime = 10",
        f"\texit timeout = {plist.get('ExitTimeOut', 20)}",
        f"\truns = {job['runs']}",
        *([f"\tpid = {job['pid']}"] if job["pid"] else []),
        f"\tlast exit code = {code}",
        "",
        "\tresource coalition = {",
        "\t\tstate = active",
        "\t}",
        "}",
    ]
    return "\n".join(lines) + "\n"


def domain_text(domain: str, jobs: Mapping[str, Mapping[str, Any]], off: Sequence[str], *, newer: bool) -> str:
    """A whole domain, as `print domain` shows it, with some of Apple's own jobs in it."""
    lines = [
        f"{domain} = {{" if newer else f"com.apple.xpc.launchd.domain.{domain.replace('/', '.')} = {{",
        f"\ttype = {domain.partition('/')[0]}",
        "\tactive count = 2",
        "\tservices = {",
        "\t       0      - \tcom.apple.enchantedd",
        "\t     301      - \tcom.apple.Finder" if newer else "\t     301   (pe) \tcom.apple.Finder",
    ]
    for label, job in jobs.items():
        status = "-" if job["exit"] is None else str(job["exit"])
        lines.append(f"\t{job['pid']:8} {status:>6} \t{label}")
    lines += ["\t}", "\tunmanaged processes = {", "\t}", "\tendpoints = {", "\t\t0x1234 M A com.apple.finder", "\t}"]
    return "\n".join([*lines, *(f"\t{line}" for line in disabled_text(off, newer=newer).splitlines()), "}"]) + "\n"


def disabled_text(off: Sequence[str], *, newer: bool) -> str:
    """What `print-disabled` shows: words in newer releases, booleans in older ones."""
    yes, no = ("disabled", "enabled") if newer else ("true", "false")
    lines = [f'\t"com.apple.ManagedClientAgent.enrollagent" => {no}', *(f'\t"{label}" => {yes}' for label in off)]
    return "\n".join(["disabled services = {", *lines, "}"]) + "\n"
