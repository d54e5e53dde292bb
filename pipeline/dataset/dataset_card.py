"""The dataset card: the README.md that people and the Hugging Face hub read first.

It is made from what `dataset.json` says, and nothing else. The front matter tells
`datasets.load_dataset` where the parts are; the body says what the dataset is, how to load it, whom
to thank and what not to expect.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import jinja2
import yaml

from pipeline.runtime.untrusted_text import escaped
from schemas import layout
from schemas.rows import CHUNK_LENGTH, STORY_LENGTH

# Those of the hub's license ids that films come under; others are "other" with a name.
# https://huggingface.co/docs/hub/repositories-licenses
LICENSES = {
    "cc0-1.0",
    "cc-by-2.0",
    "cc-by-2.5",
    "cc-by-3.0",
    "cc-by-4.0",
    "cc-by-sa-3.0",
    "cc-by-sa-4.0",
    "cc-by-nc-2.0",
    "cc-by-nc-3.0",
    "cc-by-nc-4.0",
    "cc-by-nd-4.0",
    "cc-by-nc-nd-3.0",
    "cc-by-nc-nd-4.0",
    "cc-by-nc-sa-2.0",
    "cc-by-nc-sa-3.0",
    "cc-by-nc-sa-4.0",
    "pddl",
    "odc-by",
    "unlicense",
    "apache-2.0",
    "mit",
}

HUB_TABLES = (layout.VIDEOS, layout.KEYFRAMES, layout.CAPTIONS, layout.APPEARANCES, layout.CAST)

_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
)

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+!|~$&-])")


def card(dataset: dict[str, Any], repo: str = "") -> str:
    """Renders the card of a dataset, with its front matter, from the content of `dataset.json`.

    With `repo`, the name of a repository on a hub, it is the card of the dataset as `hub` pushes
    it, with its pictures embedded in Parquet too. The list of files may still be without the card,
    which is written first. Raises KeyError where a part of the manifest is missing.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.dataset"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"number": lambda value: f"{value:,}", "plain": plain, "code": code}
    return environment.get_template("card.md.j2").render(
        front_matter=yaml.safe_dump(
            front_matter(dataset, bool(repo)), sort_keys=False, allow_unicode=True
        ),
        dataset=dataset,
        repo=repo,
        films=used_films(dataset),
        embedded=embedded_roles(dataset),
        splits=_shard_splits(dataset),
        train_shards=sum(
            file["path"].startswith(f"{layout.SHARDS}/{layout.TRAIN}-") for file in dataset["files"]
        ),
        story_length=STORY_LENGTH,
        chunk_length=CHUNK_LENGTH,
    )


def used_films(dataset: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the films that gave keyframes; the others are named in the rejects only."""
    return [video for video in dataset["videos"] if video["keyframes"]]


def embedded_roles(dataset: dict[str, Any]) -> list[str]:
    """Returns which of "captioner" and "writer" were the embedded default models."""
    return [
        role for role in ("captioner", "writer") if dataset["models"][role].startswith("embedded")
    ]


def front_matter(dataset: dict[str, Any], pushed: bool = False) -> dict[str, Any]:
    """Returns the front matter of the card, in the terms of the hub.

    Source: https://github.com/huggingface/hub-docs/blob/main/datasetcard.md
    """
    languages = _languages([dataset["config"]["stories"]["language"]])  # of the texts
    return {
        **_license([video["license"] for video in used_films(dataset)]),
        **({"language": languages} if languages else {}),
        "pretty_name": dataset["name"],
        "task_categories": ["image-to-text", "text-to-image", "text-generation"],
        "size_categories": [_size(dataset["counts"]["keyframes"])],
        "tags": ["storystream", "visual-storytelling", "animation", "webdataset"],
        "configs": _pushed_configs(dataset) if pushed else _configs(dataset),
    }


def license_id(text: str) -> str:
    """Returns the hub's id for a license as people write it, "" for one that it does not know.

    It may be the SPDX id, the license's address or its usual name: "CC-BY-3.0",
    "https://creativecommons.org/licenses/by/3.0/" and "Creative Commons Attribution 3.0 Unported"
    are all "cc-by-3.0".
    """
    link = re.search(
        r"creativecommons\.org/(?:licenses|publicdomain)/([a-z-]+)/(\d\.\d)", text.lower()
    )
    name = f"cc-{link[1]}-{link[2]}" if link else _slug(text.rpartition("://")[2])
    name = re.sub(r"^(www\.)?(spdx\.org|opensource\.org|choosealicense\.com)-licenses?-", "", name)
    name = re.sub(r"(-html|\.html)$", "", name)
    for words, short in _LICENSE_WORDS:
        name = re.sub(words, short, name)
    return name if name in LICENSES else ""


# What a license's name, its words joined with hyphens, has in place of its id. In this order.
_LICENSE_WORDS = (
    (r"^the-", ""),
    (r"^creative-commons-", "cc-"),
    (r"non-?commercial", "nc"),
    (r"no-?deriv(ative)?s?(-works)?", "nd"),
    (r"share-?alike", "sa"),
    (r"attribution", "by"),
    (r"-(international|unported|generic|universal|public-domain-dedication|deed)(?=-|$)", ""),
    (r"^cc-(zero|0)(?=-|$)", "cc0"),
    (r"-(license|licence|public-license)(?=-|$)", ""),
    (r"-v(ersion-)?(?=\d)", "-"),
    (r"^(cc0|mit|unlicense|pddl|odc-by)(-\d\.\d)?$", r"\1"),
    (r"^cc0$", "cc0-1.0"),
    (r"^(apache)-2$", r"\1-2.0"),
    (r"^(cc-by[a-z-]*)-(\d)$", r"\1-\2.0"),
)


def _license(licenses: Sequence[str]) -> dict[str, str]:
    """Returns the known id where all films agree; anything else needs a look at the sources."""
    named = sorted(set(licenses))
    if not any(named):
        return {"license": "unknown"}
    ids = {license_id(text) for text in named}
    if len(ids) == 1 and ids != {""}:
        return {"license": ids.pop()}
    return {
        "license": "other",
        "license_name": (_slug(named[0]) or "see-sources")
        if len(named) == 1
        else "several-see-sources",
    }


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")


def _languages(tags: Iterable[str]) -> list[str]:
    """Converts BCP 47 tags to what the hub lists: the language alone, two or three letters."""
    codes = {tag.partition("-")[0].lower() for tag in tags}
    return sorted(code for code in codes if re.fullmatch("[a-z]{2,3}", code))


def _size(count: int) -> str:
    return next((name for limit, name in _SIZES if count < limit), "100M<n<1B")


def _shard_splits(dataset: dict[str, Any]) -> list[str]:
    """Returns the splits that have shards: "train", "val"."""
    return [split for split in layout.SPLITS if dataset["splits"].get(split, {}).get("chunks", 0)]


def _configs(dataset: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns what `load_dataset` loads; the hub says "validation" where our file names say "val".

    `datasets` opens all configs of a card with the reader that fits the first one's files
    (github.com/huggingface/datasets/issues/7101), so tables are named only where no shards are.
    """
    shards = [
        {
            "split": "validation" if split == layout.VAL else split,
            "path": f"{layout.SHARDS}/{split}-*.tar",
        }
        for split in _shard_splits(dataset)
    ]
    # By it `datasets` names its cache: without it, it would serve the dataset of an earlier run.
    version = {"version": f"0.0.{int(dataset['version'], 16)}"}  # three numbers are what it takes
    if shards:
        return [{"config_name": "chunks", **version, "data_files": shards, "default": True}]
    return [
        {
            "config_name": "stories",
            **version,
            "data_files": layout.table_path(layout.STORIES),
            "default": True,
        },
        {
            "config_name": "keyframes",
            **version,
            "data_files": layout.table_path(layout.KEYFRAMES),
        },
    ]


def _pushed_configs(dataset: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the configs of a pushed dataset: its stories with their pictures, and its tables."""
    stories = [
        {
            "split": "validation" if split == layout.VAL else split,
            "path": f"{layout.HUB}/{split}-*.parquet",
        }
        for split in layout.SPLITS
        if dataset["splits"].get(split, {}).get("stories", 0)
    ]
    tables = {file["path"] for file in dataset["files"]} & set(map(layout.table_path, HUB_TABLES))
    return [
        {"config_name": layout.STORIES, "data_files": stories, "default": True},
        *(
            {"config_name": path.removesuffix(".parquet"), "data_files": path}
            for path in sorted(tables)
        ),
    ]


def may_be_shared(license: str) -> bool:
    """Tells whether a licence, as people write it, lets anybody share pictures of a film.

    A licence without derivatives does not, and one that is not known is none.
    """
    name = license_id(license)
    if not name:
        return bool(re.search(r"\bpublic[ -]domain\b", license.lower()))
    return "nd" not in name.split("-")


def plain(text: str) -> str:
    """Escapes untrusted text for Markdown, on one line, also inside a table."""
    return _MARKDOWN.sub(r"\\\1", " ".join(escaped(text).split()))


def code(text: str) -> str:
    """Puts untrusted text between backticks, also inside a table."""
    return "`" + " ".join(escaped(text).split()).replace("`", "'").replace("|", "\\|") + "`"
