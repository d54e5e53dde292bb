"""Self-BLEU: how much texts repeat each other's words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from pipeline.annotation.words import tokenize

MAX_ORDER = 4  # longest run of words that is compared


def self_bleu(texts: Sequence[str], owners: Sequence[str]) -> list[float]:
    """Computes the BLEU of each text, 0..1, with the texts of all other owners as its references.

    High where texts say the same in the same words. Each text its own owner compares the texts of
    a story; the story's id compares stories. Grows with the number of texts that are compared, so
    only sets of one size can be. A text without others to compare, or without words, has nan.

    BLEU-4 with clipped counts, the brevity penalty for the reference nearest in length, and 1 added
    to the counts of runs of 2 to 4 words (Lin and Och 2004), without which a short text has 0.
    Source: Zhu et al., Texygen (arXiv 1802.01886); Papineni et al., BLEU (2002).
    """
    told = [tokenize(text) for text in texts]
    counts = [
        Counter(gram for n in range(1, MAX_ORDER + 1) for gram in _ngrams(text, n)) for text in told
    ]
    most: dict[tuple[str, ...], list[tuple[int, str]]] = {}  # the best two owners of each run
    for owner, some in zip(owners, counts, strict=True):
        for gram, count in some.items():
            held = dict((who, times) for times, who in most.get(gram, ()))
            held[owner] = max(count, held.get(owner, 0))
            most[gram] = sorted(((times, who) for who, times in held.items()), reverse=True)[:2]
    lengths = Counter((owner, len(text)) for owner, text in zip(owners, told, strict=True))
    found = []
    for owner, text, some in zip(owners, told, counts, strict=True):
        others = {length for who, length in lengths if who != owner}
        if not others or not text:
            found.append(math.nan)
            continue
        shared = [0] * MAX_ORDER
        for gram, count in some.items():
            best = next((times for times, who in most[gram] if who != owner), 0)
            shared[len(gram) - 1] += min(count, best)
        totals = [max(len(text) - n, 0) for n in range(MAX_ORDER)]
        precisions = [
            (hit + (n > 0)) / (total + (n > 0))
            for n, (hit, total) in enumerate(zip(shared, totals, strict=True))
        ]
        _, nearest = min((abs(length - len(text)), length) for length in others)
        penalty = min(0.0, 1 - nearest / len(text))
        found.append(
            math.exp(penalty + sum(map(math.log, precisions)) / MAX_ORDER) if shared[0] else 0.0
        )
    return found


def _ngrams(told: Sequence[str], n: int) -> Iterable[tuple[str, ...]]:
    return zip(*(told[at:] for at in range(n)), strict=False)
