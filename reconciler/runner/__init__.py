"""Executes one run of an automation: starts fast, imports the standard library and itself only.

Never keeps a job from running: whatever is wrong with the state folder or the job file ends as a message.
"""
