"""Who gets in over tcp: attacks X1, X2, X4 and X8."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from pathlib import Path

import pytest
import zmq
from zmq.auth import create_certificates

from edge_app.app.cli import main
from edge_app.client import Subscriber, client_keys
from edge_app.errors import SourceError, UsageError
from edge_app.stream.auth import Gate
from edge_app.stream.control import ask
from edge_app.stream.endpoint import check_bind
from edge_app.stream.keys import fingerprint, load_keys, new_client, revoke
from tests.security.conftest import serve


def served_while_others_wait(served, good: Subscriber, bad: list[Subscriber]) -> None:
    """The one that is let in hears twenty messages; the others hear nothing of them."""
    heard = []
    served.until(lambda: heard.append(good.recv(0)) or sum(m is not None for m in heard) >= 20, publish=True)
    for subscriber in bad:
        assert subscriber.recv(0.05) is None


def test_X1_only_a_listed_key_hears_anything(guarded, folder, reader, capfd):
    server, _, _ = client_keys(folder / "clients/robot")
    stranger, secret = (key.decode() for key in zmq.curve_keypair())
    wrong_server = zmq.curve_keypair()[0].decode()
    robot = client_keys(folder / "clients/robot")
    bad = [
        reader(guarded),
        reader(guarded, server_key=server),
        reader(guarded, server_key=server, public_key=stranger, secret_key=secret),
        reader(guarded, server_key=wrong_server, public_key=robot[1], secret_key=robot[2]),
        reader(guarded, keys=folder / "clients/boss"),  # may control, and not read
    ]
    good = reader(guarded, keys=folder / "clients/robot")
    counters = guarded.gate.counters
    guarded.until(lambda: counters["peers_refused"] >= 3 and counters["handshakes_failed"] >= 2, publish=True)
    served_while_others_wait(guarded, good, bad)
    assert counters["peers_accepted"] == 1
    lines = [line for line in capfd.readouterr().err.splitlines() if "refused" in line]
    assert 1 <= len(lines) <= 2, "a line at once, and then one in five seconds"
    assert "SHA256:" in lines[0] and "no reader" in lines[0]


def test_X1_the_line_about_a_refused_key_has_its_fingerprint(guarded, folder, reader, capfd):
    server, _, _ = client_keys(folder / "clients/robot")
    public, secret = (key.decode() for key in zmq.curve_keypair())
    reader(guarded, server_key=server, public_key=public, secret_key=secret)
    guarded.until(lambda: guarded.gate.counters["peers_refused"])
    assert fingerprint(public) in capfd.readouterr().err


def test_X1_a_client_that_is_added_gets_in_without_a_restart_of_anybody(guarded, folder, reader, tmp_path):
    """It made its own pair, and its public key is put on the list while it tries."""
    create_certificates(tmp_path, "client")
    shutil.copy(folder / "server.key", tmp_path)
    os.chmod(tmp_path / "client.key_secret", 0o600)
    newcomer = reader(guarded, keys=tmp_path)
    guarded.until(lambda: guarded.gate.counters["peers_refused"] >= 2)
    (tmp_path / "client.key").chmod(0o644)
    os.replace(tmp_path / "client.key", folder / "authorized/readers/newcomer.key")
    guarded.until(lambda: newcomer.recv(0) is not None, publish=True)


def test_a_revoked_reader_is_cut_off_and_the_others_come_back(guarded, folder, reader):
    new_client(folder, "second", "reader")
    robot, second = (reader(guarded, keys=folder / f"clients/{name}") for name in ("robot", "second"))
    guarded.until(lambda: robot.recv(0) is not None, publish=True)
    guarded.until(lambda: second.recv(0) is not None, publish=True)
    before = guarded.gate.counters["peers_refused"]  # the second one, until the gate had looked at the folder
    revoke(folder, "robot")
    guarded.until(lambda: guarded.gate.counters["peers_refused"] > before, publish=True)
    while robot.recv(0.05) is not None:
        pass  # what it had received before
    served_while_others_wait(guarded, second, [robot])
    assert load_keys(folder).allowed["reader"].keys() == {client_keys(folder / "clients/second")[1]}


@pytest.mark.parametrize("keyed", [False, True])
def test_S2_no_more_readers_get_in_than_are_allowed(folder, reader, keyed, capfd):
    """Others wait, and get in when somebody leaves; those who knock and say nothing, or nonsense, take no place."""
    served = serve(folder if keyed else None, "tcp://127.0.0.1:*", "tcp://127.0.0.1:*", most=3)
    options = {"keys": folder / "clients/robot"} if keyed else {}
    counters = served.gate.counters
    with contextlib.closing(served), contextlib.ExitStack() as stack:
        for nonsense in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100) * 10:
            place = ("127.0.0.1", int(served.publisher.endpoint.rpartition(":")[2]))
            stack.enter_context(socket.create_connection(place)).sendall(nonsense)
            reader(served, **options).close()
            served.turn()

        def enters() -> Subscriber:
            new = reader(served, **options)
            served.until(lambda: new.recv(0) is not None, publish=True)
            return new

        def is_refused() -> Subscriber:
            new, before = reader(served, **options), counters["peers_refused"]
            served.until(lambda: counters["peers_refused"] > before, publish=True)
            served_while_others_wait(served, inside[-1], [new])
            return new

        def gets_in_after_all(waiting: Subscriber) -> Subscriber:
            served.until(lambda: waiting.recv(0) is not None, publish=True)
            return waiting

        inside = [enters() for _ in range(3)]
        for _ in range(3):  # whoever leaves makes room for one
            late = is_refused()
            inside.pop(0).close()
            inside.append(gets_in_after_all(late))
        is_refused()
    assert "3 are connected already" in capfd.readouterr().err


def test_X2_without_the_gate_nobody_gets_in(guarded, folder, reader):
    guarded.gate.close()
    assert guarded.gate.state == "degraded"
    subscribers = [reader(guarded, keys=folder / "clients/robot"), reader(guarded)]
    for _ in range(100):
        guarded.publish()
        guarded.publisher.poll(0.01)
    assert [subscriber.recv(0) for subscriber in subscribers] == [None, None]


def test_X2_a_gate_that_is_not_polled_lets_nobody_in(guarded, folder, reader):
    robot = reader(guarded, keys=folder / "clients/robot")
    for _ in range(100):
        guarded.publish()
        guarded.publisher.poll(0.01)
    assert robot.recv(0) is None
    guarded.until(lambda: robot.recv(0) is not None, publish=True)  # and it was nothing else that kept it out


def test_X2_a_folder_that_cannot_be_trusted_any_more_lets_nobody_in(guarded, folder, reader):
    robot = reader(guarded, keys=folder / "clients/robot")
    guarded.until(lambda: robot.recv(0) is not None, publish=True)
    (folder / "authorized/readers").chmod(0o777)
    (folder / "authorized/readers/robot.key").touch()
    guarded.until(lambda: guarded.gate.state == "degraded")
    guarded.until(lambda: guarded.gate.counters["peers_refused"], publish=True)
    (folder / "authorized/readers").chmod(0o700)
    (folder / "authorized/readers/robot.key").touch()
    guarded.until(lambda: guarded.gate.state == "running")
    guarded.until(lambda: robot.recv(0) is not None, publish=True)


def test_X4_a_readers_key_controls_nothing(guarded, folder):
    def change(name: str) -> object:
        return guarded.while_turning(
            lambda: ask(guarded.control.endpoint, "labels.set", ["bow"], keys=folder / "clients" / name, timeout_s=1)
        )

    assert isinstance(change("robot"), SourceError)
    assert guarded.control.counters["control_requests"] == 0
    assert change("boss")["labels_version"] == 2


def test_X4_a_revoked_controller_that_is_connected_is_cut_off(guarded, folder):
    server, public, secret = (key.encode() for key in client_keys(folder / "clients/boss"))
    with zmq.Context() as context, context.socket(zmq.DEALER) as boss:
        boss.linger, boss.curve_serverkey, boss.curve_publickey, boss.curve_secretkey = 0, server, public, secret
        boss.connect(guarded.control.endpoint)
        request = b'{"schema":"control/1.0","op":"status"}'
        boss.send(request)
        guarded.until(lambda: boss.poll(0))
        boss.recv()
        revoke(folder, "boss")
        guarded.until(lambda: guarded.gate.counters["peers_refused"])
        served = guarded.control.counters["control_requests"]
        boss.send(request)
        for _ in range(100):
            guarded.turn()
        assert guarded.control.counters["control_requests"] == served


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_X8_a_secret_that_others_can_read_is_refused(folder, capfd, mode):
    (folder / "server.key_secret").chmod(mode)
    assert main(["run", "person://wave", "--publish", "tcp://0.0.0.0:0", "--keys", str(folder)]) == 2
    line = capfd.readouterr().err
    assert "server.key_secret" in line and f"{mode:04o}" in line and "chmod 600" in line
    (folder / "clients/robot/client.key_secret").chmod(mode)
    assert main(["listen", "tcp://127.0.0.1:1", "--keys", str(folder / "clients/robot")]) == 2
    assert f"{mode:04o}" in capfd.readouterr().err


@pytest.mark.parametrize("place", ["", "authorized", "authorized/readers", "authorized/readers/robot.key"])
def test_X8_a_list_that_others_can_write_is_refused(folder, place):
    path = folder / place
    path.chmod(path.stat().st_mode | 0o002)
    with pytest.raises(UsageError, match="can be written by other users"), zmq.Context() as context:
        Gate(context, folder)


@pytest.mark.parametrize(("file", "text"), [
    ("server.key_secret", "curve\n"),
    ("server.key_secret", 'curve\n    public-key = "short"\n'),
    ("server.key_secret", 'public-key = "' + "0" * 40 + '"\n'),  # no secret
    ("authorized/readers/robot.key", 'public-key = "' + "~" * 40 + '"'),
    ("authorized/readers/robot.key", "x" * 5000),
    ("authorized/readers/robot.key", "\0\xff"),
])  # fmt: skip
def test_a_malformed_certificate_is_one_line(folder, file, text):
    (folder / file).write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match="keys") as error:
        load_keys(folder)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


def test_keys_on_the_command_line(tmp_path, capsys):
    keys = str(tmp_path / "k")
    assert main(["keys", "new", keys]) == 0
    assert main(["keys", "new", keys]) == 2
    assert main(["keys", "new", keys, "--name", "a"]) == 0
    assert main(["keys", "new", keys, "--name", "a", "--role", "controller"]) == 2
    assert main(["keys", "new", keys, "--name", "../b"]) == 2
    assert main(["keys", "new", keys, "--role", "reader"]) == 2
    capsys.readouterr()
    assert main(["keys", "list", keys]) == 0
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()] == [["server", "-"], ["reader", "a"]]
    secrets = [*Path(keys).rglob("*_secret")]
    assert len(secrets) == 2 and all(path.stat().st_mode & 0o777 == 0o600 for path in secrets)
    assert main(["keys", "revoke", keys, "b"]) == 2
    assert "known are a" in capsys.readouterr().err
    assert main(["keys", "revoke", keys, "a"]) == 0
    assert main(["keys", "list", str(tmp_path / "none")]) == 2
    assert sorted(path.name for path in Path(keys).rglob("*") if path.is_file()) == ["server.key", "server.key_secret"]


@pytest.mark.parametrize("host", ["*", "0.0.0.0", "192.168.1.2", "[::]", "[fe80::1]", "127.0.0.1"])
def test_with_keys_any_address_may_be_bound(host):
    assert check_bind(f"tcp://{host}:5757", with_keys=True) == f"tcp://{host}:5757"


@pytest.mark.parametrize("host", ["eth0", "example.org", "[fe80::1%eth0]", "0.0.0.0;127.0.0.1", "::"])
def test_with_keys_names_are_still_refused(host):
    with pytest.raises(UsageError):
        check_bind(f"tcp://{host}:5757", with_keys=True)


def test_without_keys_another_machine_is_refused_with_the_way_out(capfd):
    assert main(["run", "person://wave", "--publish", "tcp://0.0.0.0:0"]) == 2
    error = capfd.readouterr().err
    assert "edge-app keys new" in error and "--keys" in error
