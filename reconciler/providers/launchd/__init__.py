"""Automations and services as property lists of launchd: agents of a user, daemons of the machine.

`calendar` turns cron fields into calendar intervals, `definition` a state into a plist and back, `canonical` a spec
into a state, `session` knows whose folders these are, `control` the `launchctl` program, `look` observes, `work`
carries out a change, `importer` turns other people's plists into manifests, `provider` joins them.
"""
