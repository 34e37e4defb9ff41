import signal
import threading

import pytest

from cultural_sp.cli.hydra_main import run_program
from cultural_sp.cli.programs import Program
from cultural_sp.utils.signals import SIGNALS, Stopped, delay_signals, stop_on_signals


def handlers():
    return [signal.getsignal(number) for number in SIGNALS]


@pytest.mark.parametrize("number", SIGNALS)
def test_the_block_ends_before_the_signal_takes_effect(number):
    before, done = handlers(), []
    with pytest.raises(Stopped, match=f"stopped by {number.name}") as caught, stop_on_signals():
        with delay_signals():
            signal.raise_signal(number)
            done.append("block")
        done.append("next block")
    assert done == ["block"]
    assert caught.value.exit_code == 128 + number
    assert handlers() == before


@pytest.mark.parametrize("second", SIGNALS)
def test_a_second_signal_takes_effect_at_once(second):
    before, done = handlers(), []
    with pytest.raises(Stopped, match=second.name), stop_on_signals(), delay_signals():
        signal.raise_signal(signal.SIGINT)
        done.append("after the first")
        signal.raise_signal(second)
        done.append("after the second")
    assert done == ["after the first"]
    assert handlers() == before


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_that_a_destructor_swallows_is_heard_at_the_next_batch():
    class Unlucky:
        def __del__(self):
            signal.raise_signal(signal.SIGTERM)

    done = []
    with pytest.raises(Stopped, match="SIGTERM"), stop_on_signals():
        Unlucky()
        done.append("swallowed")
        with delay_signals():
            done.append("batch")
    assert done == ["swallowed"]


def test_without_a_handler_of_the_program_a_signal_means_what_it_meant():
    done = []
    with pytest.raises(KeyboardInterrupt), delay_signals():
        signal.raise_signal(signal.SIGINT)
        done.append("block")
    assert done == ["block"]


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stop_on_signals(), delay_signals():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_error_in_the_block_comes_before_the_signal():
    with pytest.raises(ValueError, match="mine"), stop_on_signals(), delay_signals():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("mine")


def test_other_threads_set_no_handlers():
    errors = []

    def work():
        try:
            with stop_on_signals(), delay_signals():
                pass
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert errors == []


@pytest.mark.parametrize(("resumes", "says"), [(True, "goes on from what is saved"), (False, "nothing was kept")])
def test_a_program_that_keeps_nothing_says_so_when_it_is_stopped(monkeypatch, capsys, resumes, says):
    monkeypatch.setattr("sys.argv", ["program"])
    with pytest.raises(SystemExit, match="143"):
        run_program(Program("align", "", "", lambda _: signal.raise_signal(signal.SIGTERM), resumes=resumes))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("stopped by SIGTERM; ")
    assert says in line
