"""The container provider on an engine in memory: refusals, trouble, half-done changes, and what a pass asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.host.fake import Crash, FakeHost
from reconciler.model.change import Action, Cause, Change
from reconciler.model.data import Json
from reconciler.model.errors import ApplyError, Conflict, ObserveError, UnsupportedSpec
from reconciler.model.resource import Resource
from reconciler.model.state import Observed, Ownership, State
from reconciler.provider import Wanted
from reconciler.providers.container.api import split_reference
from reconciler.providers.container.provider import Container
from reconciler.providers.container.rows import NEW, OLD
from reconciler.providers.container.spec import canonical
from reconciler.testing.builders import change, resource
from tests.container.world import IMAGES, engine_of, fake_host, service

PROVIDER = Container({})
PORT: Json = [{"host": 8081, "target": 80, "address": "127.0.0.1", "protocol": "tcp"}]


def seen(host: FakeHost, *wanted: Wanted) -> dict[str, Observed]:
    return {item.id.name: item for item in PROVIDER.observe(host, wanted).found}


def towards(host: FakeHost, one: Resource, after: State | None) -> Change:
    found = seen(host).get(one.id.name)
    before = found.state if found else None
    return change(str(one.id), before, after, provider="container", restore=found.restore if found else None)


def create(host: FakeHost, one: Resource) -> Change:
    made = towards(host, one, canonical(one))
    PROVIDER.apply(host, [made])
    return made


def delete(host: FakeHost, one: Resource) -> Change:
    made = towards(host, one, None)
    PROVIDER.apply(host, [made])
    return made


def status(host: FakeHost, name: str) -> str:
    found = engine_of(host).named(name)
    assert found is not None, sorted(one["Name"] for one in engine_of(host).containers.values())
    return str(found["State"]["Status"])


def names(host: FakeHost) -> list[str]:
    return sorted(one["Name"][1:] for one in engine_of(host).containers.values())


# What cannot be asked for


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"image": None}, "image"),
        ({"supervisor": "systemd"}, "supervisor"),
        ({"scope": "user"}, "scope"),
        ({"workingDirectory": "~/x"}, "workingDirectory"),
        ({"hostname": "a b"}, "hostname"),
        ({"networks": ["host", "back"]}, "networks"),
        ({"networks": ["host"], "ports": PORT}, "ports"),
        ({"ports": [*PORT, *PORT]}, "ports"),  # type: ignore[misc]
        ({"command": ["a\0b"]}, "command"),
        ({"environment": {"A": "\ud800"}}, "environment"),
    ],
)
def test_what_a_container_cannot_be_is_refused_by_field(spec: dict[str, Json], field: str) -> None:
    with pytest.raises(UnsupportedSpec) as caught:
        canonical(service("web", **spec))
    assert caught.value.field == field


@pytest.mark.parametrize("name", ["a", "web.reconciler-old-1"])
def test_names_that_no_container_can_have_are_refused(name: str) -> None:
    with pytest.raises(UnsupportedSpec) as caught:
        canonical(service(name))
    assert caught.value.field == "metadata.name"


def test_our_own_labels_cannot_be_set() -> None:
    with pytest.raises(UnsupportedSpec, match=r"the label reconciler\.id is ours"):
        canonical(replace(service("web"), labels={"reconciler.id": "x"}))
    assert canonical(replace(service("web"), labels={"team": "a"})).attributes["labels"] == {"team": "a"}


def test_a_refusal_names_a_backend_that_can() -> None:
    with pytest.raises(UnsupportedSpec) as caught:
        canonical(resource("Service/web", command=["x"]))
    assert "systemd" in str(caught.value.hint)


# Trouble


@pytest.mark.parametrize("said", [b"<html>", b"{}", b"[1]", b'[{"Id": "x"}]', b"[" * 100_000])
def test_garbage_is_not_an_empty_engine(said: bytes) -> None:
    host = fake_host()
    engine_of(host).answer("GET /containers/json", 200, said)
    with pytest.raises(ObserveError, match="cannot look at the containers"):
        PROVIDER.observe(host, ())


def test_a_look_says_which_engine_was_asked() -> None:
    assert PROVIDER.observe(fake_host(), ()).facts["keeper"] == "the engine at /var/run/docker.sock"


def test_an_engine_that_hangs_or_fails_is_an_error_for_people() -> None:
    host = fake_host()
    engine_of(host).hang("GET /containers/json")
    with pytest.raises(ObserveError, match="no whole answer"):
        PROVIDER.observe(host, ())
    engine_of(host).heal()
    engine_of(host).answer(".", 500, b'{"message": "disk is\\nfull"}')
    with pytest.raises(ObserveError, match=r"the container engine failed at GET /containers/json: disk is full"):
        PROVIDER.observe(host, ())
    assert PROVIDER.health(host, [service("web").id]) is not None
    with pytest.raises(ApplyError, match="disk is full"):
        PROVIDER.apply(host, [change("Service/web", None, canonical(service("web")), provider="container")])


@pytest.mark.parametrize(
    "request_", ["/containers/create", "/start", "/rename", "/stop", "/networks/create", "GET /images"]
)
def test_a_refusal_at_any_write_of_an_update_leaves_the_old_one_running(request_: str) -> None:
    host = fake_host()
    create(host, service("web", ports=PORT))
    new = service("web", ports=PORT, environment={"V": "2"}, networks=["back"])
    wanted = towards(host, new, canonical(new))
    calls = 0

    def fail_once(call: Any) -> None:
        nonlocal calls
        if request_ in call.target and not calls:
            calls += 1
            host.fail_at(0, "the engine is gone")

    host.on_call(fail_once)
    with pytest.raises(ApplyError, match="cannot update Service/web"):
        PROVIDER.apply(host, [wanted])
    assert calls == 1
    assert (names(host), status(host, "web")) == (["web"], "running")
    assert seen(host)["web"].state == canonical(service("web", ports=PORT))
    assert "back" not in engine_of(host).networks


def test_a_port_taken_meanwhile_brings_the_old_one_back() -> None:
    host = fake_host()
    create(host, service("web", ports=PORT))
    engine_of(host).taken.add(9000)
    other: Json = [{"host": 9000, "target": 80, "address": "127.0.0.1", "protocol": "tcp"}]
    with pytest.raises(ApplyError, match="port 9000 is already allocated"):
        create(host, service("web", ports=other))
    assert (names(host), status(host, "web")) == (["web"], "running")


def test_a_container_that_ends_at_once_is_refused_with_the_end_of_its_log() -> None:
    host = fake_host()
    engine_of(host).says = "cannot open /etc/app.conf"
    with pytest.raises(ApplyError, match=r"exited with status 1; the end of its log:\ncannot open /etc/app.conf"):
        create(host, service("web", command=["false"]))
    assert names(host) == []


# Images


def test_an_image_is_pulled_as_its_policy_says() -> None:
    host = fake_host()
    engine = engine_of(host)
    engine.images.clear()
    with pytest.raises(ApplyError, match="cannot use the image app:1: the engine does not have it"):
        create(host, service("web", pull="never"))
    create(host, service("web"))
    create(host, service("web", pull="always"))
    assert [line for line in engine.log if "/images/create" in line] == [
        "POST /images/create?fromImage=app&tag=1"
    ] * 2


def test_a_pull_that_fails_inside_its_stream_names_the_image() -> None:
    host = fake_host()
    with pytest.raises(ApplyError, match=r"cannot get the image gone:9: .*manifest for gone:9 not found"):
        create(host, service("web", image="gone:9"))
    assert names(host) == []


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("redis", ("redis", "latest")),
        ("redis:7", ("redis", "7")),
        ("localhost:5000/a/b", ("localhost:5000/a/b", "latest")),
        ("localhost:5000/a/b:c", ("localhost:5000/a/b", "c")),
        ("redis@sha256:ab", ("redis", "sha256:ab")),
    ],
)
def test_no_pull_fetches_every_tag(image: str, parts: tuple[str, str]) -> None:
    assert split_reference(image) == parts


# Drift


def test_tampering_that_matters_shows() -> None:
    def tampered(edit: Any) -> dict[str, Json]:
        host = fake_host()
        create(host, service("web", ports=PORT, networks=["back"]))
        found = engine_of(host).named("web")
        assert found is not None
        edit(found)
        return dict(seen(host)["web"].state.attributes)

    made = canonical(service("web", ports=PORT, networks=["back"])).attributes
    assert tampered(lambda one: one["State"].update(Status="exited")) == {**made, "status": "stopped"}
    assert tampered(lambda one: one.update(Name="/else")) == {**made, "name": "else"}
    assert tampered(lambda one: one.update(Image="sha256:9"))["image"] == "sha256:9"
    assert tampered(lambda one: one["HostConfig"].update(PortBindings={}))["ports"] == []
    assert tampered(lambda one: one["NetworkSettings"]["Networks"].pop("back"))["networks"] == []
    assert tampered(lambda one: one["Config"]["Labels"].pop("reconciler.digest"))["record"] == "changed"
    assert tampered(lambda one: one["Config"]["Labels"].update({"reconciler.state": "{"}))["record"] == "changed"


def test_two_containers_with_one_mark_are_trouble() -> None:
    host = fake_host()
    create(host, service("web"))
    engine = engine_of(host)
    (one,) = engine.containers.values()
    engine.containers["copy"] = {**one, "Id": "copy", "Name": "/copy"}
    assert seen(host)["web"].trouble == "the containers web and copy both carry its mark"
    with pytest.raises(Conflict, match="both carry its mark"):
        PROVIDER.apply(host, [change("Service/web", canonical(service("web")), None, provider="container")])


def test_a_container_that_may_end_and_has_ended_is_no_drift() -> None:
    for policy, code, drift in (
        ("no", 1, False),
        ("on-failure", 0, False),
        ("on-failure", 1, True),
        ("always", 0, True),
    ):
        host = fake_host()
        create(host, service("web", restart={"policy": policy}))
        found = engine_of(host).named("web")
        assert found is not None
        found["State"].update(Status="exited", ExitCode=code)
        assert ("status" in seen(host)["web"].state.attributes) == drift


# Updates


def test_the_new_one_starts_first_where_nothing_collides_and_last_where_it_does() -> None:
    for spec, first in (({}, True), ({"ports": PORT}, False), ({"volumes": ["data:/d"]}, False)):
        host = fake_host()
        create(host, service("web", **spec))  # type: ignore[arg-type]
        engine_of(host).log.clear()
        create(host, service("web", environment={"V": "2"}, **spec))  # type: ignore[arg-type]
        verbs = [line.partition("?")[0].rpartition("/")[2] for line in engine_of(host).log if line.startswith("POST")]
        assert (verbs.index("start") < verbs.index("stop")) == first


def test_an_interrupted_update_is_seen_as_done_and_in_trouble_until_it_is_undone() -> None:
    hits = 0
    for number in range(1, 40):
        host = fake_host()
        old, new = service("web", ports=PORT), service("web", ports=PORT, environment={"V": "2"})
        create(host, old)
        update = towards(host, new, canonical(new))
        host.crash_at(number)
        try:
            PROVIDER.apply(host, [update])
            host.heal()
            break
        except Crash:
            hits += 1
        found = seen(host, Wanted(new.id, update.after, update.before))["web"]
        assert found.state in (update.before, update.after), number  # so that the engine can tell what to undo
        if found.state == update.after and status_or_none(host, "web") != "running":
            assert found.trouble is not None
        if found.state == update.before:
            assert status(host, "web") == "running"
        PROVIDER.apply(host, [update.inverse()])
        assert (names(host), status(host, "web")) == (["web"], "running")
        assert seen(host)["web"].state == update.before
    assert hits > 8


def status_or_none(host: FakeHost, name: str) -> str | None:
    found = engine_of(host).named(name)
    return str(found["State"]["Status"]) if found else None


def test_an_interrupted_undo_can_be_undone_again() -> None:
    for number in range(1, 40):
        host = fake_host()
        old, new = service("web", ports=PORT), service("web", ports=PORT, environment={"V": "2"})
        create(host, old)
        id_ = next(iter(engine_of(host).containers))
        update = create(host, new)
        host.crash_at(number)
        try:
            PROVIDER.apply(host, [update.inverse()])
            host.heal()
            break
        except Crash:
            found = seen(host, Wanted(new.id, update.after, update.before))["web"]
            assert found.state in (update.before, update.after), number
        PROVIDER.apply(host, [update.inverse()])
        assert names(host) == ["web"]
        assert engine_of(host).named("web") == engine_of(host).containers[id_]
        assert status(host, "web") == "running"
    assert number > 5


def test_a_kept_container_that_is_gone_is_made_again() -> None:
    host = fake_host()
    create(host, service("web"))
    update = create(host, service("web", environment={"V": "2"}))
    kept = next(name for name in names(host) if OLD in name)
    engine_of(host)("DELETE", f"/containers/{kept}?force=1", b"")
    PROVIDER.apply(host, [update.inverse()])
    assert seen(host)["web"].state == canonical(service("web"))


def test_a_container_that_came_back_is_kept_again_where_that_is_undone() -> None:
    host = fake_host()
    create(host, service("web"))
    (one,) = engine_of(host).containers
    back = replace(delete(host, service("web")).inverse(), cause=Cause.REQUESTED)  # as a rollback asks for it
    PROVIDER.apply(host, [back])
    assert status(host, "web") == "running"
    PROVIDER.apply(host, [back.inverse()])
    assert [(id_, status(host, name)) for id_, name in zip(engine_of(host).containers, names(host), strict=True)] == [
        (one, "exited")
    ]
    assert seen(host) == {}


def test_a_deletion_that_was_interrupted_is_seen_and_ended_by_the_next_one() -> None:
    host = fake_host()
    create(host, service("web"))
    host.on_call(lambda call: host.crash_at(1) if "/rename" in call.target else None)
    state = seen(host)["web"].state
    with pytest.raises(Crash):
        delete(host, service("web"))
    host.heal()
    left = seen(host, Wanted(service("web").id, None, state))["web"]
    assert "was interrupted half-way" in str(left.trouble)
    again = change("Service/web", left.state, None, provider="container", restore=left.restore)
    PROVIDER.apply(host, [again])
    (kept,) = names(host)
    assert (OLD in kept, status(host, kept)) == (True, "exited")


def test_what_a_dead_process_left_half_made_goes_with_the_next_change_of_anything() -> None:
    host = fake_host()
    host.on_call(lambda call: host.crash_at(1) if "/start" in call.target else None)
    with pytest.raises(Crash):
        create(host, service("web"))
    host.heal()
    assert [name for name in names(host) if NEW in name]
    create(host, service("other"))
    assert names(host) == ["other"]


def test_the_container_of_a_deleted_resource_goes_after_an_hour() -> None:
    host = fake_host()
    create(host, service("web", networks=["back"]))
    delete(host, service("web"))
    create(host, service("other"))
    assert len(names(host)) == 2
    assert "back" in engine_of(host).networks
    host.time.advance(3700)
    create(host, service("third"))
    assert names(host) == ["other", "third"]
    assert "back" not in engine_of(host).networks


def test_a_released_container_runs_on_without_our_mark() -> None:
    host = fake_host()
    create(host, service("web"))
    state = canonical(service("web"))
    PROVIDER.apply(
        host,
        [replace(towards(host, service("web"), state), action=Action.RELEASE)],
    )
    assert seen(host) == {}
    assert status(host, "web") == "running"


# Requests


def test_a_pass_asks_once_however_many_containers_there_are() -> None:
    host = fake_host()
    for number in range(8):
        create(host, service(f"web{number}"))
        found = seen(host)
        engine_of(host).log.clear()
        seen(host, *(Wanted(item.id, item.state, item.state) for item in found.values()))
        assert len(engine_of(host).log) == 1
        seen(host, *(Wanted(service(f"new{n}").id, canonical(service(f"new{n}")), None) for n in range(number)))
        assert len(engine_of(host).log) <= 3


def test_a_stand_in_is_as_strict_as_an_engine() -> None:
    engine = engine_of(fake_host())
    made = b'{"Image": "app:1"}'
    for method, target, body, status_ in (
        ("POST", "/containers/create?name=a", made, 400),
        ("POST", "/containers/create?name=ab", b'{"Image": "app:1", "Imgae": 1}', 400),
        ("POST", "/containers/create?name=ab", b'{"Image": "none:1"}', 404),
        ("POST", "/containers/create?name=ab", made, 201),
        ("POST", "/containers/create?name=ab", made, 409),
        ("POST", "/containers/ab/start", b"", 204),
        ("POST", "/containers/ab/start", b"", 304),
        ("DELETE", "/containers/ab", b"", 409),
        ("POST", "/containers/ab/pause", b"", 204),
        ("POST", "/containers/ab/pause", b"", 409),
        ("POST", "/containers/ab/start", b"", 409),
        ("GET", "/containers/none/json", b"", 404),
        ("GET", "/v1.41/nothing", b"", 404),
        ("GET", "/containers/json", b"", 400),
    ):
        assert engine(method, target, body).status == status_, (method, target)


# Drift of what a name stands for


def asked(host: FakeHost) -> list[str]:
    engine_of(host).log.clear()
    seen(host)
    return [line.partition("?")[0] for line in engine_of(host).log]


def test_a_retagged_image_is_drift_where_the_manifest_follows_the_tag() -> None:
    host = fake_host()
    one = service("web", pull="always")
    create(host, one)
    assert seen(host)["web"].state == canonical(one)
    engine_of(host).registry["app:1"] = engine_of(host).images["app:1"] = "sha256:" + "9" * 64
    drifted = seen(host)["web"]
    assert drifted.state.attributes["image"] == IMAGES["app:1"]
    assert asked(host) == ["GET /containers/json", "GET /images/json"]
    made = create(host, one)
    assert seen(host)["web"].state == canonical(one)
    assert len(names(host)) == 2
    PROVIDER.apply(host, [made.inverse()])
    assert seen(host)["web"].state == drifted.state


def test_a_retagged_image_is_not_looked_at_where_the_manifest_does_not_ask_for_it() -> None:
    host = fake_host()
    one = service("web")
    create(host, one)
    engine_of(host).images["app:1"] = "sha256:" + "9" * 64
    assert seen(host)["web"].state == canonical(one)
    assert asked(host) == ["GET /containers/json"]


def test_a_tag_that_was_taken_away_is_no_other_image() -> None:
    host = fake_host()
    one = service("web", pull="always")
    create(host, one)
    del engine_of(host).images["app:1"]
    assert seen(host)["web"].state == canonical(one)


@pytest.mark.parametrize(
    ("written", "listed"),
    [
        ("redis", "docker.io/library/redis:latest"),
        ("docker.io/library/redis:7", "redis:7"),
        ("me/app", "docker.io/me/app:latest"),
        ("a.b:5000/app", "a.b:5000/app:latest"),
    ],
)
def test_names_of_images_are_compared_as_engines_mean_them(written: str, listed: str) -> None:
    from reconciler.providers.container.rows import whole_name

    assert whole_name(written) == whole_name(listed)


# What a review says of it


def reviewed(before: Resource, after: Resource | None, action: Action = Action.UPDATE) -> list[str]:
    wanted = canonical(after) if after is not None else None
    made = change(str(before.id), canonical(before), wanted, action=action, provider="container")
    return [finding.message for finding in PROVIDER.review({}, {}, [made])]


def test_downtime_is_said_where_there_is_any() -> None:
    assert reviewed(service("web"), service("web", environment={"A": "1"})) == []
    port = service("web", ports=PORT)
    assert reviewed(port, service("web", ports=PORT, environment={"A": "1"})) == [
        "Service/web is down while its container is made again"
    ]
    assert reviewed(port, None, Action.DELETE) == ["Service/web is down once it is removed"]
    for action in (Action.ADOPT, Action.RELEASE):
        (said,) = reviewed(service("web"), service("web"), action)
        assert said.startswith("no engine can ")


def test_a_container_of_somebody_else_in_the_way_is_a_refusal() -> None:
    made = change("Service/web", None, canonical(service("web")), provider="container")
    facts: dict[str, Json] = {"theirs": {"Service/web": "container web"}}
    (found,) = PROVIDER.review(facts, {}, [made])
    assert (found.message, found.hazard) == ("a container of somebody else is called web", None)
    assert PROVIDER.review({}, {}, [made]) == ()


@pytest.mark.parametrize("other", [{"user": "ada"}, {"state": "/srv/other"}])
def test_another_reconciler_on_the_same_engine_keeps_its_containers(other: dict[str, str]) -> None:
    """An engine is shared: by its users, and by state folders of one of them."""
    mine, theirs = fake_host(), fake_host()
    theirs.services, theirs.host_facts = mine.services, replace(mine.host_facts, **other)
    made = create(theirs, service("web"))
    assert seen(mine) == {}
    (twin,) = seen(mine, Wanted(made.id, canonical(service("web")), None)).values()
    assert twin.ownership is Ownership.FOREIGN
    adopt = change(
        str(made.id), twin.state, canonical(service("web")), action=Action.ADOPT, provider="container",
        restore=twin.restore,
    )  # fmt: skip
    with pytest.raises(Conflict, match=r"the reconciler of .* holds it"):
        Container().apply(mine, [adopt])
    create(mine, service("db"))
    delete(mine, service("db"))
    assert status(mine, "web") == "running"
    assert [item.ownership for item in seen(theirs).values()] == [Ownership.OURS]


def published(host: int, address: str = "127.0.0.1", protocol: str = "tcp") -> dict[str, Json]:
    return {"ports": [{"host": host, "target": 80, "address": address, "protocol": protocol}]}


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (published(8081), published(8081), "tcp port 8081 of 127.0.0.1"),
        (published(8081), published(8081, "0.0.0.0"), "tcp port 8081 of 0.0.0.0"),
        (published(8081), published(8082), None),
        (published(8081), published(8081, "127.0.0.2"), None),
        (published(8081, "0.0.0.0"), published(8081, "::"), None),
        (published(8081), published(8081, protocol="udp"), None),
        (published(8081), {**published(8081), "status": "stopped"}, None),
    ],
)
def test_two_containers_do_not_publish_one_port(one: Any, other: Any, said: str | None) -> None:
    made = change("Service/web", None, State(one), provider="container")
    after = {made.id: State(one), service("api").id: State(other)}
    messages = [finding.message for finding in PROVIDER.review({}, after, [made])]
    assert messages == ([f"Service/api and Service/web both publish {said}: only one can have it"] if said else [])
    assert PROVIDER.review({}, after, [change("Service/else", None, State({}), provider="container")]) == ()
