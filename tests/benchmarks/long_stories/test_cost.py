"""Cost of the last picture, by policy."""

from benchmarks.long_stories import cost
from benchmarks.long_stories.policies import PolicyVariant


def test_cost_grows_with_dense_attention_alone(teller):
    sizes = {
        policy: [
            cost.measure_cost(teller, PolicyVariant("", policy, {}), length).megabytes
            for length in (20, 40)
        ]
        for policy in ("dense", "window", "multimodal")
    }
    assert sizes["dense"][1] > 1.8 * sizes["dense"][0]
    assert sizes["window"][0] == sizes["window"][1] < sizes["dense"][0]
    assert sizes["multimodal"][0] == sizes["multimodal"][1] < sizes["dense"][0]
