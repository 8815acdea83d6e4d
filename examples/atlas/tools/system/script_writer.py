"""Writes a tool, and with --schedule its manifest, for a task that can be said in a line.

    python3 tools/system/script_writer.py --task "Tell when a website is down" --input https://example.org \\
        --output tools/monitoring/uptime_monitor.py --schedule "*/5 * * * *"

It knows a few tasks by their words and refuses the others: no tool is better than one that does nothing. What it
writes is an ordinary tool, with logs, errors, alerts and --check like all of them; change it as you like.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import atlas

FRAME = '''\
"""{task}

--check only looks whether it can start.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
{imports}
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import atlas

NAME = {name}
INPUT = {input}


def trouble() -> str:
    """What is wrong, in one line; empty where nothing is."""
{body}

def watch(logger: logging.Logger) -> None:
    found = trouble()
    logger.info("%s", found or "all is well")
    atlas.tell_once(NAME, found)


if __name__ == "__main__" and not atlas.checking():
    atlas.run(NAME, watch)
'''
SITE = """\
    try:
        with urlopen(INPUT, timeout=10):
            return ""
    except OSError as error:
        return f"{INPUT} cannot be read: {error}"
"""
DISK = """\
    usage = shutil.disk_usage(INPUT)
    return f"less than 10 % of the disk of {INPUT} are free" if usage.free < usage.total / 10 else ""
"""
AGE = """\
    path = Path(INPUT).expanduser()
    if not path.exists():
        return f"there is no {path}"
    return f"{path} is older than 26 hours" if time.time() - path.stat().st_mtime > 26 * 3600 else ""
"""
TASKS = {  # words of the task, imports, body
    "a website or another address": (
        r"website|url|uptime|endpoint|address",
        "from urllib.request import urlopen",
        SITE,
    ),
    "room on a disk": (r"disk|space|storage|room", "import shutil", DISK),
    "the age of a file": (r"\bage\b|\bold\b|fresh|stale", "import time", AGE),
}
MANIFEST = """\
apiVersion: reconciler/v1
kind: Automation
metadata:
  name: {name}
  description: {task}
spec:
  schedule: {schedule}
  command: [python3, {script}]
  workingDirectory: ~/atlas
  timeout: 2m
  success:
    output: {{rejects: "Traceback"}}
  verify:
    within: 20s
    probes:
      - exec: [python3, {script}, --check]
"""


def quoted(text: str) -> str:
    """For Python and YAML alike."""
    return json.dumps(text, ensure_ascii=False)


def script(task: str, name: str, source: str) -> str:
    found = [(imports, body) for words, imports, body in TASKS.values() if re.search(words, task, re.IGNORECASE)]
    if len(found) != 1:
        cause = "it names none of the things" if not found else "it names more than one of the things"
        raise SystemExit(f"cannot write a tool for {task!r}: {cause} that are known here: {'; '.join(TASKS)}")
    imports, body = found[0]
    words = quoted(task)[1:-1].replace('\\"', "'")
    return FRAME.format(task=words, name=quoted(name), input=quoted(source), imports=f"{imports}\n", body=body)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description="Writes a tool and its manifest.")
    parser.add_argument("--task", required=True, help="what it should tell you about, in a line")
    parser.add_argument("--input", required=True, help="the address, folder or file that it looks at")
    parser.add_argument("--output", required=True, help="tools/FOLDER/NAME.py")
    parser.add_argument("--schedule", help="cron fields; with them a manifest is written too")
    wanted = parser.parse_args(arguments)
    if re.fullmatch(r"tools/[a-z0-9_]+/[a-z0-9_]+\.py", wanted.output) is None:
        raise SystemExit(f"cannot write {wanted.output}: tools stand in tools/FOLDER/NAME.py")
    name = Path(wanted.output).stem.replace("_", "-")
    texts = {wanted.output: script(wanted.task, name, wanted.input)}
    if wanted.schedule:
        texts[f"desired/automations/{name}.yaml"] = MANIFEST.format(
            name=name, task=quoted(wanted.task), schedule=quoted(wanted.schedule), script=wanted.output
        )
    there = [path for path in texts if (atlas.ROOT / path).exists()]
    if there:
        raise SystemExit(f"cannot write {there[0]}: there is such a file already")
    for path, text in texts.items():
        (atlas.ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        atlas.write(atlas.ROOT / path, text)
        print(f"wrote {path}")


if __name__ == "__main__" and not atlas.checking():
    main(sys.argv[1:])
