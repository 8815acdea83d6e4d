"""Look again, with fresh eyes: does the host hold what was planned, will its backend run it, is it healthy?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.host.protocol import Clock, Host
from reconciler.model.address import Place, ResourceId
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
) -> dict[ResourceId, str]:
    """What failed, by address, with the reason; empty when every gate passed. Raises ObserveError."""
    failed = _standing(host, providers, steps, expected)
    failed |= {id_: why for id_, why in _backends(host, providers, steps).items() if id_ not in failed}
    if failed:
        return failed
    waiting = [step for step in steps if step.probes or step.stable_for]
    if not waiting:
        return {}
    failed = _healthy(host, waiting, clock)
    return failed or _standing(host, providers, waiting, expected)


def _standing(
    host: Host,
    providers: Mapping[str, Provider],
    steps: Sequence[VerifyStep],
    expected: Mapping[Place, State | None],
) -> dict[ResourceId, str]:
    """Which resources are not as planned, by a fresh observation of each backend."""
    failed: dict[ResourceId, str] = {}
    for name in sorted({step.provider for step in steps}):
        ids = [step.id for step in steps if step.provider == name]
        wanted = tuple(Wanted(id_, expected[Place(name, id_)], expected[Place(name, id_)]) for id_ in sorted(ids))
        ours = {i.id: i for i in providers[name].observe(host, wanted).found if i.ownership is Ownership.OURS}
        for id_ in ids:
            why = _mismatch(expected[Place(name, id_)], ours.get(id_))
            if why is not None:
                failed[id_] = why
    return failed


def _mismatch(expected: State | None, found: Observed | None) -> str | None:
    if expected is None:
        return None if found is None else f"it still stands in {found.where}"
    if found is None:
        return "it is not there after all"
    if found.trouble is not None:
        return found.trouble
    return None if found.state == expected else f"{found.where} is not as it was written"


def _backends(host: Host, providers: Mapping[str, Provider], steps: Sequence[VerifyStep]) -> dict[ResourceId, str]:
    """Which resources their backend will not run."""
    failed: dict[ResourceId, str] = {}
    for name in sorted({step.provider for step in steps if step.backend}):
        provider = providers[name]
        ids = sorted(step.id for step in steps if step.provider == name and step.backend)
        if isinstance(provider, HasHealth) and (why := provider.health(host, ids)) is not None:
            failed |= dict.fromkeys(ids, why)
    return failed


def _healthy(host: Host, steps: Sequence[VerifyStep], clock: Clock) -> dict[ResourceId, str]:
    """Probe until every resource has been healthy for long enough, or its time is over."""
    from reconciler.health import gate

    policies = {step.id: VerifyPolicy(step.within, step.stable_for, step.probes) for step in steps}
    results = gate.wait(policies, host, clock, interval=PROBE_INTERVAL)
    return {id_: why for id_, why in results.items() if why is not None}
