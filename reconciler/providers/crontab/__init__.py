"""Automations as lines of a user's crontab, among lines of other people that stay as they are, byte for byte.

`line` knows one line, `table` a whole table, `foreign` what other people's lines run, `program` the `crontab`
command, `work` what a batch changes, `importer` turns other people's lines into manifests, `provider` joins them.
"""
