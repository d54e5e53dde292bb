"""Time stamps of a film's packets: whether they come from one clock."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.ingest.video import VideoError

_RESTART = 0.5  # seconds; a clock that goes back by more has started again
_REORDERED = 8  # frames that a clock may go back by, as frames are not coded in display order
_WINDOW = 5  # packets; fewer than half of them with wrong times do not make a clock start again


def check_clock(pts: Sequence[int], time_base: float) -> None:
    """Raises VideoError where a film's clock starts again, as in recordings that were joined into
    one file: such a film has two pictures of one time.

    pts: the times of its packets, in ticks of `time_base` seconds, in the order of the file.
    """
    if len(pts) < 2 * _WINDOW:
        return
    times = np.array(pts) * time_base
    frame_time = float(np.median(np.diff(np.unique(times))))
    usual = np.median(np.lib.stride_tricks.sliding_window_view(times, _WINDOW), axis=1)
    back = np.flatnonzero(
        usual[_WINDOW:] < usual[:-_WINDOW] - max(_RESTART, _REORDERED * frame_time)
    )
    if len(back):  # most of the packets of the second window are after it
        last = times[back[0] + _WINDOW + _WINDOW // 2 - 1]
        raise VideoError(
            f"its clock starts again after {max(last - times[0], 0.0):.1f} s, as if it were two "
            "films in one file: cut it there, or give it one clock with ffmpeg -i FILM -c copy NEW"
        )
