"""Parses NAME=VALUE, as `--set` takes it, into nested settings."""

from __future__ import annotations

from typing import Any

import yaml


def put(values: dict[str, Any], setting: str, usage: str) -> None:
    """Sets one value: "keyframes.every=3" sets `values["keyframes"]["every"]` to 3.

    The part after the equals sign is YAML. Sections that are missing are added. Raises ValueError
    for a setting that cannot be parsed or put there; `usage` is the message where "=" is missing.
    """
    name, equals, text = setting.partition("=")
    if not equals:
        raise ValueError(f"--set {setting}: {usage}")
    *sections, leaf = name.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise ValueError(f"--set {setting}: {section} is one value, not a section")
    try:
        values[leaf] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"--set {setting}: the value is not YAML: {error}") from error
