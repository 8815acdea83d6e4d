"""The embedded backend: definitions for the supervisor that comes with reconciler, for machines with nothing else."""
