"""Files as resources: a worked example of a plugin, in use. `kind` is the manifest, `provider` the backend.

Only names stand here, so that a plan without a File imports neither.
"""

KINDS = {"File": ".kind:File"}
PROVIDERS = {"file": ".provider:Files"}
