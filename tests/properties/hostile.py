"""Crontabs as people really leave them, and automations that try to break out of theirs."""

from __future__ import annotations

from hypothesis import strategies as st

LINES = (
    b"# m h dom mon dow command",
    b"#0 5 * * * disabled --for-now",
    b"# 1 2 3 4 5 text that looks like a job",
    b"# FOO=bar",
    b"",
    b"   \t ",
    b'MAILTO=""',
    b"FOO = bar",
    b"PATH=/opt/\xe4\xf6\xff/bin:/usr/bin",
    b"CRON_TZ=Europe/Berlin",
    b"SHELL=/bin/bash",
    b"  05 4 * * 1-5\t/usr/local/bin/backup --fast # passed to the shell",
    b"0 0 * * * echo 100\\% done; cat%stdin line%another",
    b"@daily true",
    b"@reboot sleep 5 && start #frag",
    b"@every_minute odd",
    b"@30 odd",
    b"30,0,15 1-7 * JAN,feb SUN-TUE x",
    b"*/60 * * * * never mind",
    b"22-2 * * * * wraps",
    b"-5 * * * * quiet",
    b"garbage that is no line of a crontab",
    b'30 2 * * 7 echo "it # is"\t ',
    b"* * * * * printf 'a\\\\b'",
    b"0 1 * * * carriage\r",
    b"0 1 * * * : reconciler is mentioned here",
    b"0 1 * * * echo : reconciler:Automation/zzz; true",
    b"# 0 6 * * * : reconciler:Automation/b; exec commented",
    b"0 2 * * * : reconciler@root:Automation/a; exec what root holds",
)

tables = st.builds(
    lambda lines, last: b"\n".join(lines) + last if lines else b"",
    st.lists(st.sampled_from(LINES), max_size=14),
    st.sampled_from([b"\n", b"\n", b"", b"\r\n", b"\n\n"]),
)

# What a shell and cron could trip over, in any order.
_nasty = st.text(st.sampled_from("ab %\\'\"$`#;&|<>*?~!(){}[]=-\téß漢😀"), min_size=1, max_size=25)
_commands = st.one_of(
    st.lists(_nasty, min_size=1, max_size=4).filter(lambda argv: bool(argv[0].strip())),
    _nasty.filter(lambda text: bool(text.strip())),
)
_schedules = st.sampled_from(["0 6 * * *", "*/5 * * * *", "@daily", "30 2 1,15 * mon", "59 23 31 12 *"])

automations = st.fixed_dictionaries(
    {
        "schedule": _schedules,
        "command": _commands,
        "workingDirectory": st.none() | st.sampled_from(["~", "~/a b", "/tmp/%x", "/o'brien"]),
        "environment": st.dictionaries(st.sampled_from(["LOG", "N_1"]), _nasty, max_size=2),
        "user": st.none(),
    }
)
trees = st.dictionaries(st.sampled_from(["a", "b", "c", "daily-brief"]), automations, max_size=4)
