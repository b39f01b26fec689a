"""What the supervisor makes of signals."""

import signal

import pytest

from edge_app.app.processes.child import STOP_SIGNALS
from edge_app.app.processes.supervisor import stop_signals


@pytest.fixture(params=STOP_SIGNALS)
def number(request):
    """A signal that is handled afterwards as it was before."""
    before = signal.getsignal(request.param)
    yield request.param
    signal.signal(request.param, before)


def test_F8_a_signal_stops_and_is_then_handled_as_before(number):
    signal.signal(number, signal.default_int_handler)
    with stop_signals() as stop:
        signal.raise_signal(number)
        assert stop.is_set()
    assert signal.getsignal(number) is signal.default_int_handler


def test_F8_what_is_ignored_from_the_start_stays_ignored(number):
    signal.signal(number, signal.SIG_IGN)
    with stop_signals() as stop:
        signal.raise_signal(number)
        assert not stop.is_set()
    assert signal.getsignal(number) is signal.SIG_IGN
