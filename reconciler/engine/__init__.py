"""The walk: observe, diff, guard, plan, execute, verify, roll back. `reconcile.py` tells the whole story."""
