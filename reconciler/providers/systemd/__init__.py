"""Automations as timers and services as service units of systemd, among units of other people that stay as they are.

`calendar` turns schedules into timers, `syntax` knows unit files, `units` our own ones, `manager` the programs,
`look` observes, `work` decides what a batch changes, `carry` does it, `provider` joins them.
"""
