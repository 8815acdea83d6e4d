"""What `reconcile new` writes: one commented manifest for each built-in kind, to be filled in with `str.format`.

Every value that is filled in is a YAML scalar already. A plugin's kind brings its own (`CommonSpec.TEMPLATE`).
"""

from __future__ import annotations

HEAD = """\
# What this machine should {verb}. `reconcile explain {kind}` documents every field.
apiVersion: reconciler/v1
kind: {kind}
metadata:
  name: {name}
  description: {description}
spec:
"""
VERIFY = """\
  # What must hold after a change; when it does not, the last stable state comes back.
  # verify:
  #   within: 20s
  #   probes:
  #     - exec: [test, -x, /path/to/the/program]
"""
AUTOMATION = """\
  # Five cron fields (minute hour day month weekday), @daily and its like, {{every: 5m}} or {{at: boot}}.
  schedule: {schedule}
  # A list is a program with its arguments; text is a line for the shell.
  command: {command}
  # The folder to run in; the home folder if not given.
  # workingDirectory: ~/somewhere
  # Variables for the command. No secrets: they stand readable in the crontab.
  # environment: {{LOG_LEVEL: info}}
"""
PROGRAM = """\
  # A list is a program with its arguments; text is a line for the shell.
  command: {command}
  # The folder to run in; the home folder if not given.
  # workingDirectory: ~/somewhere
"""
IMAGE = """\
  # By tag or digest; fetched when it is missing.
  image: {image}
  # What it keeps: a volume or a folder of this machine, and where it is inside. Never deleted.
  # volumes: ["data:/var/lib/data"]
"""
SERVICE = """\
  # Where it listens; a container publishes it, on 127.0.0.1 unless you name another address.
  {ports}
  # Variables for the program. No secrets: they stand in clear.
  # environment: {{LOG_LEVEL: info}}
  # How it is kept up, and how it is ended.
  restart: {{policy: always}}
  stop: {{signal: SIGTERM, grace: 10s}}
  # What a healthy service answers; when it does not after a change, the last stable state comes back.
  # health:
  #   - {{http: {{url: "http://127.0.0.1:8080/", status: 200}}}}
"""
PORT = """\
  port: {port}
  protocol: {protocol}
  # Who may listen there. A plan with two owners of one port, or with somebody else on it, is refused.
  owner: {owner}
  # The address listened on; any if not given.
  # address: 127.0.0.1
"""
