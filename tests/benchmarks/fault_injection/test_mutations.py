"""Mutated films are the same for a seed."""

from benchmarks.fault_injection import mutations


def test_the_same_seed_makes_the_same_films(sound):
    made = [mutations.mutate_film(sound, 0, number) for number in range(200)]
    assert made == [mutations.mutate_film(sound, 0, number) for number in range(200)]
    assert made[:20] != [mutations.mutate_film(sound, 1, number) for number in range(20)]
    kinds = {mutation.__name__.strip("_") for mutation in mutations.MUTATIONS}
    assert {kind for kind in kinds if any(kind in name for name, _ in made)} == kinds
    assert all(data not in sound.values() for _, data in made)
