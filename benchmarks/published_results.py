"""Published results that stand beside ours in the tables. None of them is measured here.

Each block names its source. Other data, other judges and other weights were used for them, so they
show an order of magnitude and do not compete.
"""

from __future__ import annotations

from dataclasses import dataclass

SEED_STORY_PAPER = (
    "Yang et al., SEED-Story: Multimodal Long Story Generation with Large Language "
    "Model, arXiv 2407.08683"
)

# FID (lower is better) of pictures against those of StoryStream's held-out stories.
FID = {"MM-Interleaved": 65.71, "SEED-Story": 62.23}

# GPT-4's marks for SEED-Story's stories, 0-10.
GPT4_SCORES = {"style consistency": 8.61, "engagement": 6.27, "image-text coherence": 8.24}


@dataclass(frozen=True)
class Preference:
    """How often GPT-4 preferred which story, as shares of `stories`."""

    first: float
    second: float
    tie: float
    stories: int

    def counts(self) -> tuple[int, int, int]:
        """Returns the numbers of stories where the first was preferred, the second, and neither."""
        first, second, tie = (
            round(self.stories * share) for share in (self.first, self.second, self.tie)
        )
        return first, second, tie


PREFERENCE_BETWEEN = ("MM-Interleaved", "SEED-Story")  # the first and the second
PREFERENCES = {
    "style consistency": Preference(0.122, 0.161, 0.717, 180),
    "engagement": Preference(0.356, 0.517, 0.128, 180),
    "image-text coherence": Preference(0.172, 0.478, 0.350, 180),
}


@dataclass(frozen=True)
class PublishedDataset:
    """A row of the SEED-Story paper's Table 1, which writes sizes as height x width."""

    images: int
    height: int  # pixels
    width: int
    length: int  # pictures in a story
    stories: int | None = None  # None where the table does not say
    text_length: int | None = None  # of one picture's text, in a unit that the paper leaves open


DATASETS = {
    "Flintstones": PublishedDataset(122_560, 128, 128, 5),
    "Pororo": PublishedDataset(73_665, 128, 128, 5),
    "StorySalon": PublishedDataset(159_778, 432, 803, 14),
    "StoryStream": PublishedDataset(257_850, 480, 854, 30, 8_595, 146),
}

# The ten texts that its authors print as a sample (StoryStream/README.md of
# github.com/TencentARC/SEED-Story): words and characters of one, on average.
STORYSTREAM_SAMPLE_WORDS, STORYSTREAM_SAMPLE_CHARACTERS = 36.3, 200.1
