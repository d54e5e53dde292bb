"""Policies that are compared."""

import torch

from benchmarks.long_stories import policies
from model import attention
from model.attention import Role
from model.config import AttentionConfig


def test_every_variant_is_a_policy_with_settings_there_are():
    for variant in policies.VARIANTS:
        AttentionConfig(**variant.changes)
        attention.stays(torch.tensor([Role.BOI]), variant.policy, AttentionConfig())
