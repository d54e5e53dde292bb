import os

import pytest

from pipeline.testing.films import make_film, moving, scene


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="Linux schedules so")
def test_a_process_that_encodes_av1_is_scheduled_as_before(tmp_path, monkeypatch):
    monkeypatch.setenv("SVT_LOG", "0")  # what SVT-AV1 says while it encodes
    before = os.sched_getscheduler(0)
    frames = moving(scene(1, height=96, width=160), 6)
    make_film(tmp_path / "a.mp4", frames, codec="libsvtav1", options={"preset": "12"})
    assert os.sched_getscheduler(0) == before
