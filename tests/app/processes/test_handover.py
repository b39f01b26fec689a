"""The hand-over between camera and recognizer: one slot, the newest wins."""

import contextlib
import dataclasses

import numpy as np
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from edge_app.app.processes.handover import ReportSender, pack, report_receiver, unpack
from edge_app.types import CameraReport, Pose, Track, Window


def report(number: int, with_window: bool = True) -> CameraReport:
    rng = np.random.default_rng(number)
    window = Window(
        "cam", 3, number, rng.normal(size=(32, 15, 4)).astype(np.float32), rng.random(32) > 0.5, 29.5, 0.75, 1.25
    )
    points = rng.normal(size=(33, 6)).astype(np.float32)
    people = (Track(5, Pose(number, points[:, :2], points[:, 2:5], points[:, 5], (640, 480))),) * (number % 3)
    return CameraReport(
        "cam", "running", 2, number, 29.5, number, 4, (window,) if with_window else (), ("dark",), (("pose", 12.5),),
        people=people,
    )  # fmt: skip


@pytest.mark.parametrize("with_window", [True, False])
def test_what_is_packed_is_unpacked(with_window):
    sent = report(8, with_window)
    got = unpack(pack(sent))
    assert dataclasses.replace(got, windows=(), people=()) == dataclasses.replace(sent, windows=(), people=())
    assert len(got.people) == 2
    for track, other in zip(got.people, sent.people, strict=True):
        assert (track.id, track.pose.t_ns, track.pose.size) == (other.id, other.pose.t_ns, other.pose.size)
        for name in ("image", "world", "visibility"):
            np.testing.assert_array_equal(getattr(track.pose, name), getattr(other.pose, name))
    assert (got.window is None) == (not with_window)
    if with_window:
        np.testing.assert_array_equal(got.window.joints, sent.window.joints)
        np.testing.assert_array_equal(got.window.valid, sent.window.valid)
        assert got.window.motion == sent.window.motion


def test_windows_of_several_people_arrive_in_their_order():
    one, two = report(8), report(7)
    sent = dataclasses.replace(one, windows=(one.window, two.window, one.window))
    got = unpack(pack(sent))
    assert len(got.windows) == 3 and len(got.people) == 2
    for window, other in zip(got.windows, sent.windows, strict=True):
        np.testing.assert_array_equal(window.joints, other.joints)
        np.testing.assert_array_equal(window.valid, other.valid)


@given(st.binary(max_size=300))
def test_anything_else_is_refused_with_a_value_error(data):
    with pytest.raises(ValueError):
        unpack(data)


@given(cut=st.integers(0, 2000), flip=st.integers(0, 100))
def test_a_damaged_report_is_refused_or_read_but_never_breaks(cut, flip):
    data = bytearray(pack(report(1))[: -cut or None])
    data[flip % len(data)] ^= 0xFF
    with contextlib.suppress(ValueError):
        unpack(bytes(data))


def test_the_receiver_gets_the_newest_of_many(tmp_path):
    context = zmq.Context()
    endpoint = f"ipc://{tmp_path}/cam"
    socket = report_receiver(context, endpoint)
    sender = ReportSender(endpoint)
    try:
        for number in range(1, 200):
            sender.send(report(number))
        newest = heard = 0
        while newest < 199:
            if not socket.poll(1000):  # ZeroMQ drops the newest where the slot is being emptied; a camera sends on
                number += 1
                sender.send(report(number))
                continue
            got = unpack(socket.recv()).t_ns
            assert got > newest
            newest, heard = got, heard + 1
        assert heard < 199
    finally:
        sender.close()
        context.destroy(linger=0)


def test_a_sender_without_a_receiver_never_blocks(tmp_path):
    sender = ReportSender(f"ipc://{tmp_path}/nobody")
    for number in range(1, 50):
        sender.send(report(number))
    sender.close()
