import numpy as np

from pipeline.scenes.colours import spread
from pipeline.scenes.places import find
from pipeline.testing.films import scene

MEADOW, BEACH = (spread(scene(seed)) for seed in (1, 2))
NIGHT = spread((scene(1) * 0.3).astype(np.uint8))


def test_scenes_come_back_to_a_place_in_its_light():
    scenes = [MEADOW, BEACH, MEADOW, NIGHT, BEACH, NIGHT]
    assert find(scenes, [5] * 6) == [0, 1, 0, 2, 1, 2]
    assert find([], []) == []


def test_later_episodes_change_no_place_that_is_known():
    first = find([MEADOW, BEACH], [5, 5])
    assert find([MEADOW, BEACH, NIGHT, BEACH], [5, 5, 5, 5])[:2] == first
