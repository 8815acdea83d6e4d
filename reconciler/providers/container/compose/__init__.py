"""Compose files as manifests. What does not belong here: containers that run, which are `importer`'s."""
