"""Health questions to a host, one small file per probe, and the gate that waits for good answers.

Nothing here decides what follows from an answer.
"""
