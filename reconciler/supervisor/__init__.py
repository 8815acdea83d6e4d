"""The embedded supervisor: one small resident process that runs automations when they are due and keeps services up.

Standard library, `model` and `runner` only. It reads its definitions; the provider `embedded` writes them.
"""
