import ctypes
import mmap
import os
import pickle
import shutil
import signal
import time

import av
import pytest

from pipeline.runtime import cpu_time, isolation


def _add(first, second):
    return first + second


def _tell(tick):
    for share in (0.25, 0.5):
        tick(share)
    return os.getpid()


def _stop_reading():
    raise av.error.EOFError(1, "end of the file")


def _read_address_zero():
    ctypes.string_at(0)


def _work_for_ever():
    while True:
        pass


def _map_and_take(megabytes: int) -> int:
    with isolation.without_memory_limit():
        mapped = mmap.mmap(-1, isolation.MEMORY + (1 << 30))
    return _take(megabytes) + 0 * len(mapped)


def _take(megabytes):
    return len(bytearray(megabytes << 20))


def _killed(marks, times):
    with open(marks, "a", encoding="utf-8") as file:
        file.write("x")
    if os.path.getsize(marks) <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def _work_for(seconds):
    while time.process_time() < seconds:
        pass


def _work_and_crash(seconds):
    _work_for(seconds)
    os.abort()


def test_what_a_call_takes_is_counted_here_as_well(monkeypatch):
    monkeypatch.setattr(isolation, "_idle", [])
    isolation.call(_add, 1, 2)  # its imports are counted now
    here, before = cpu_time.own(), cpu_time.used()
    isolation.call(_work_for, 0.8)
    took = cpu_time.used().since(before).since(cpu_time.own().since(here))
    assert 0.2 < took.user + took.system < 0.9  # since the process began
    again = cpu_time.used()
    isolation.call(_add, 1, 2)
    assert sum(cpu_time.used().since(again)) < 0.2  # not counted twice


def test_what_a_crashed_call_took_is_counted(monkeypatch):
    monkeypatch.setattr(isolation, "_idle", [])
    before = cpu_time.used()
    with pytest.raises(isolation.Crashed):
        isolation.call(_work_and_crash, 0.5)
    assert sum(cpu_time.used().since(before)) > 2 * 0.4  # it is tried twice


def test_a_call_gives_what_the_function_gives_and_tells_how_far_it_is():
    shares = []
    assert isolation.call(_add, [1], [2]) == [1, 2]
    assert isolation.call(_tell, tick=shares.append) != os.getpid()
    assert shares == [0.25, 0.5]


def test_the_process_is_used_again_until_it_has_taken_its_calls(monkeypatch):
    monkeypatch.setattr(isolation, "_idle", [])
    monkeypatch.setattr(isolation, "CALLS", 3)
    first, *others = [isolation.call(os.getpid) for _ in range(7)]
    assert others[:2] == [first] * 2 and others[2] not in (first, os.getpid())
    assert others[2:5] == [others[2]] * 3 and others[5] not in (first, others[2])
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)


def test_a_variable_that_is_unset_is_unset_in_the_process_too(monkeypatch):
    monkeypatch.setattr(isolation, "_idle", [])
    monkeypatch.setenv("STORYSTREAM_PROGRESS", "/of/a/run/that/has/ended")
    assert isolation.call(os.getenv, "STORYSTREAM_PROGRESS") == "/of/a/run/that/has/ended"
    monkeypatch.delenv("STORYSTREAM_PROGRESS")
    assert isolation.call(os.getenv, "STORYSTREAM_PROGRESS") is None


def test_modules_are_found_where_they_are_here_and_not_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(isolation, "_idle", [])
    folder = tmp_path / "films"
    folder.mkdir()
    (folder / "fractions.py").write_text("raise SystemExit('a file beside the films')")
    monkeypatch.chdir(folder)
    assert isolation.call(_add, 1, 2) == 3
    monkeypatch.chdir(tmp_path)
    shutil.rmtree(folder)
    assert isolation.call(_take, 1) == 1 << 20


def test_what_the_function_raises_comes_back():
    with pytest.raises(ZeroDivisionError, match="by zero"):
        isolation.call(divmod, 1, 0)
    with pytest.raises((av.error.EOFError, RuntimeError), match="end of the file"):
        isolation.call(_stop_reading)


def test_a_crash_of_native_code_is_reported_and_the_next_call_works():
    with pytest.raises(isolation.Crashed, match="SIGSEGV"):
        isolation.call(_read_address_zero)
    assert isolation.call(_add, 1, 2) == 3


def test_what_would_not_end_is_given_up(monkeypatch):
    monkeypatch.setattr(isolation, "SECONDS", 0.2)
    with pytest.raises(isolation.Crashed, match="decoding did not end"):
        isolation.call(_work_for_ever)


def test_a_film_that_would_take_all_memory_fails_for_want_of_memory():
    assert isolation.call(_take, 64) == 64 << 20
    with pytest.raises(MemoryError):
        isolation.call(_take, (isolation.MEMORY >> 20) + 1024)


def test_an_import_may_map_more_and_what_follows_may_not():
    assert isolation.call(_map_and_take, 64) == 64 << 20
    with pytest.raises(MemoryError):
        isolation.call(_map_and_take, (isolation.MEMORY >> 20) + 1024)


def test_whoever_is_killed_once_is_asked_again_and_no_film_is_blamed(tmp_path):
    assert isolation.call(_killed, str(tmp_path / "once"), 1) == "done"
    with pytest.raises(RuntimeError, match=r"killed 2 times.*out of memory") as caught:
        isolation.call(_killed, str(tmp_path / "twice"), 2)
    assert not isinstance(caught.value, isolation.Crashed)


def test_the_process_ends_with_its_caller_also_in_the_midst_of_work(tmp_path):
    caller = os.fork()
    if not caller:  # a caller of its own, that dies while its process works
        isolation._idle.clear()
        process = isolation._Process()
        (tmp_path / "pid").write_text(str(process.process.pid))
        process.connection.send((pickle.dumps((_work_for_ever, ())), False, 60.0, {}, "/"))
        os._exit(0)
    os.waitpid(caller, 0)
    pid = int((tmp_path / "pid").read_text())
    for _ in range(200):
        if not os.path.exists(f"/proc/{pid}"):
            return
        time.sleep(0.05)
    pytest.fail("it still runs")
