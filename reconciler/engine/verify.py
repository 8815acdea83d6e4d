"""Look again, with fresh eyes: does the host hold what was planned, will its backend run it, is it healthy?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from threading import Lock

from reconciler.host.protocol import Clock, Host
from reconciler.host.recall import RecallingHost
from reconciler.model.address import Place
from reconciler.model.errors import ReconcileError
from reconciler.model.frozen import dataclass
from reconciler.model.ills import NotYet
from reconciler.model.plan import VerifyStep
from reconciler.model.resource import VerifyPolicy
from reconciler.model.state import Observed, Ownership, State
from reconciler.provider import HasHealth, Provider, Wanted

PROBE_INTERVAL = 1.0  # seconds between two rounds of probes


def verify(
    host: Host,
    providers: Mapping[str, Provider],
    steps: Sequence[VerifyStep],
    expected: Mapping[Place, State | None],
    clock: Clock,
    locks: Mapping[str, Lock],
) -> Iterator[dict[int, str | None]]:
    """By number of the step: None where its gate passed, else why not; each as soon as it is known.

    Raises ObserveError.
    """
    look = _Look(host, providers, expected, locks)
    failed = look.failures(steps, backend=True)
    late = {number for number, why in failed.items() if isinstance(why, NotYet)}
    waiting = [s for s in steps if s.number in late or (s.number not in failed and (s.probes or s.stable_for))]
    later = {step.number for step in waiting}
    if known := {s.number: failed.get(s.number) for s in steps if s.number not in later}:
        yield known
    if not waiting:
        return
    from reconciler.health import gate

    policies = {step.number: VerifyPolicy(step.within, step.stable_for, step.probes) for step in waiting}
    backends = {step.number: partial(look.again, step) for step in waiting if step.number in late}
    for verdicts in gate.wait(policies, host, clock, interval=PROBE_INTERVAL, backends=backends):
        healthy = [step for step in waiting if step.number in verdicts and verdicts[step.number] is None]
        yield {**verdicts, **look.failures(healthy)}


@dataclass(frozen=True, slots=True)
class _Look:
    """Fresh looks at the backends."""

    host: Host
    providers: Mapping[str, Provider]
    expected: Mapping[Place, State | None]
    locks: Mapping[str, Lock]

    def failures(self, steps: Sequence[VerifyStep], *, backend: bool = False) -> dict[int, str]:
        """Which steps are not as planned, or, asked for, will not be run by their backend. By number."""
        failed: dict[int, str] = {}
        for name in sorted({step.provider for step in steps}):
            mine = [step for step in steps if step.provider == name]
            failed |= self._settled(name, partial(self._failures, name, mine, backend))
        return failed

    def again(self, step: VerifyStep) -> str | None:
        """Why its backend still does not run it."""
        return self.failures([step], backend=True).get(step.number)

    def _settled(self, name: str, look: Callable[[], dict[int, str]]) -> dict[int, str]:
        """A look beside a writer of the same backend may see a change half done: trouble then counts only without."""
        lock = self.locks.get(name)
        if lock is None:
            return look()
        if not lock.acquire(blocking=False):
            with suppress(ReconcileError):
                if not look():
                    return {}
            lock.acquire()
        try:
            return look()
        finally:
            lock.release()

    def _failures(self, name: str, steps: Sequence[VerifyStep], backend: bool) -> dict[int, str]:
        host = RecallingHost(self.host)
        failed = self._standing(host, name, steps)
        asked = [step for step in steps if step.backend and step.number not in failed] if backend else []
        provider = self.providers[name]
        if asked and isinstance(provider, HasHealth):
            ills = provider.health(host.again(), sorted(step.id for step in asked))
            every = dict.fromkeys((step.id for step in asked), ills) if isinstance(ills, str) else ills or {}
            failed |= {step.number: every[step.id] for step in asked if step.id in every}
        return failed

    def _standing(self, host: Host, name: str, steps: Sequence[VerifyStep]) -> dict[int, str]:
        states = {step.id: self.expected[step.place] for step in steps}
        wanted = tuple(Wanted(id_, states[id_], states[id_]) for id_ in sorted(states))
        found = self.providers[name].observe(host, wanted).found
        ours = {item.id: item for item in found if item.ownership is Ownership.OURS}
        whys = {step.number: _mismatch(states[step.id], ours.get(step.id)) for step in steps}
        return {number: why for number, why in whys.items() if why is not None}


def _mismatch(expected: State | None, found: Observed | None) -> str | None:
    if expected is None:
        return None if found is None else f"it still stands in {found.where}"
    if found is None:
        return "it is not there after all"
    if found.trouble is not None:
        return found.trouble
    return None if found.state == expected else f"{found.where} is not as it was written"
