"""GitOps for one Mac, home server or rack: plan, apply, verify and roll back what a host runs.

Start reading at `engine/reconcile.py`; the layers are in ARCHITECTURE.md.
"""

__version__ = "0.1.0"
