"""Policies for the cache that are compared on long stories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from model.config import AttentionConfig
from model.generate import Teller
from model.reading import Reading, roles_of

_NO_LIMIT = 10**9


@dataclass(frozen=True)
class PolicyVariant:
    """A policy with settings that differ from the preset's."""

    name: str
    policy: str
    changes: dict[str, Any]
    painted: bool = True


VARIANTS = (
    PolicyVariant("dense", "dense", {}),
    PolicyVariant("window", "window", {}),
    PolicyVariant("sink", "sink", {}),
    PolicyVariant("multimodal sink", "multimodal", {}),
    PolicyVariant("multimodal sink, no budget", "multimodal", {"budget": _NO_LIMIT}),
    PolicyVariant("multimodal sink, with punctuation", "multimodal", {"punctuation": True}, False),
    PolicyVariant(
        "multimodal sink, original positions", "multimodal", {"positions": "original"}, False
    ),
    PolicyVariant("recompute (the released script)", "recompute", {}),
)


def start_reading(teller: Teller, variant: PolicyVariant, stories: int) -> Reading:
    """Starts to read several stories under a policy."""
    settings = teller.run.preset.model.attention.model_dump() | variant.changes
    return Reading(
        teller.model,
        roles_of(teller.tokenizer, teller.vocabulary),
        stories,
        variant.policy,
        AttentionConfig(**settings),
    )
