"""One pass per wake, one at a time: what is passed over, what is kept, and what is said only once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from reconciler.model.errors import ExitCode, LoadError, LockBusy, ReconcileError
from reconciler.model.resource import Desired
from reconciler.watch.wakes import Wake

Pass: TypeAlias = Callable[[Desired], "tuple[ExitCode, str]"]  # plan and apply; how it ended, in words


@dataclass(slots=True)
class Loop:
    """Keeps the host as the last good revision says.

    A tree with problems is reported once and the last good revision stays in force: a half-saved file
    never counts as a wish. While a revision is refused (it failed before, or a guard says no), drift is
    put back from the last one that became stable. The same trouble is not said twice in a row.
    """

    load: Callable[[], Desired]
    run_pass: Pass
    say: Callable[[str], None]
    explain: Callable[[ReconcileError], str]
    good: Desired | None = None
    stable: Desired | None = None
    busy: bool = False
    _tree_said: str = field(default="", init=False)  # the trouble with the tree that was said last
    _pass_said: str = field(default="", init=False)  # the same of a pass

    def run(self, wakes: Iterable[Wake]) -> ExitCode:
        """Make passes until the wakes end. Answers how the last one ended."""
        code = ExitCode.DONE
        for wake in wakes:
            code = self.once(wake)
        return code

    def once(self, wake: Wake) -> ExitCode:
        """One pass, unless the tree is as it was and the host need not be looked at yet."""
        before = self.good
        try:
            self.good = self.load()
            self._tree_said = ""
        except ReconcileError as error:
            kept = "" if before is None else "\nThe last good revision stays in force."
            self._tree_said = self._say_once(self.explain(error) + kept, self._tree_said)
            if not isinstance(error, LoadError) or before is None or wake is Wake.TREE:
                return error.exit_code
        if self.good is None:
            return ExitCode.ERROR
        same = before is not None and before.revision.digest == self.good.revision.digest
        if wake is Wake.TREE and same and not self.busy:
            return ExitCode.DONE
        code = self._pass(self.good)
        if code is ExitCode.REFUSED and self.stable is not None and self.stable is not self.good:
            self._pass(self.stable)
        return code

    def _pass(self, desired: Desired) -> ExitCode:
        try:
            code, text = self.run_pass(desired)
        except ReconcileError as error:
            self.busy = isinstance(error, LockBusy)
            self._pass_said = self._say_once(self.explain(error), self._pass_said)
            return error.exit_code
        self.busy = False
        if desired is self.good:
            self._pass_said = ""
        if code is ExitCode.DONE:
            self.stable = desired
        if text:
            self.say(text)
        return code

    def _say_once(self, text: str, said: str) -> str:
        if text != said:
            self.say(text)
        return text
