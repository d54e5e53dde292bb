"""Mutated films: the generator, and that nothing of sixty of them escapes."""

import os
import signal

from benchmarks.fault_injection import fuzz, mutations


def test_films_that_nothing_was_done_to_are_read(sound, tmp_path):
    for name, data in sound.items():
        outcome = fuzz.run_film(name, data, tmp_path / name)
        assert (outcome.kind, outcome.keyframes) == ("read", 3), (name, outcome)
        assert outcome.subtitles == ("read" if name in ("h264.mp4", "h264.mkv") else "none"), name


def test_nothing_escapes(sound, tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "FAILURES", tmp_path / "kept")
    found = list(fuzz.run_films(sound, 0, 60, tmp_path / "work"))
    assert {outcome.kind for _, outcome in found} == {"read", "rejected"}
    assert sum(outcome.kind == "read" for _, outcome in found) > 20
    assert not (tmp_path / "kept").exists()


def test_what_must_not_happen_is_seen_and_kept(sound, tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "FAILURES", tmp_path / "kept")
    monkeypatch.setattr(fuzz, "process_film", _litter)
    ((name, outcome),) = fuzz.run_films(sound, 0, 1, tmp_path / "work")
    assert outcome.kind == "outside" and "litter" in outcome.detail
    assert (tmp_path / "kept" / f"seed-0-{name}").read_bytes() == mutations.mutate_film(
        sound, 0, 0
    )[1]
    monkeypatch.setattr(fuzz, "process_film", _crash)
    ((_, outcome),) = fuzz.run_films(sound, 0, 1, tmp_path / "work")
    assert outcome.kind == "crashed" and "SIGSEGV" in outcome.detail


def _litter(path: str, out: str, here: str) -> fuzz.Outcome:
    with open(f"{here}/litter", "w", encoding="utf-8"):
        return fuzz.Outcome("read", "", 3)


def _crash(path: str, out: str, here: str) -> fuzz.Outcome:
    os.kill(os.getpid(), signal.SIGSEGV)
    return fuzz.Outcome("read", "", 3)
