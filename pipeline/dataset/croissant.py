"""Describes a pushed dataset in Croissant, the JSON-LD in which catalogues exchange datasets.

Record sets are the stories, with their pictures, and the films. Each file has its digest.

Source: docs.mlcommons.org/croissant/docs/croissant-spec.html, version 1.0; the context is the
one that the specification prints.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.dataset.dataset_card import license_id
from pipeline.dataset.file_digests import FileRecord

_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_PARQUET = "application/x-parquet"


def metadata(
    dataset: dict[str, Any], address: str, stories: Sequence[FileRecord], films: FileRecord
) -> dict[str, Any]:
    """Returns the Croissant metadata of a dataset at an address, that of a repository of a hub.

    `dataset` is the content of `dataset.json`, `stories` are the records of the Parquet files with
    pictures, and `films` that of the table of films; their paths are relative to the repository.
    """
    films_used = [film for film in dataset["videos"] if film["keyframes"]]
    licenses = sorted({film["license"] for film in films_used})
    thanked = sorted({film["attribution"] for film in films_used} - {""})
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": dataset["name"],
        "description": "Illustrated stories made from animated films: pictures in film order, "
        "each with the next sentence of one story.",
        "url": address,
        "license": [_license(text) for text in licenses],
        **({"citeAs": "; ".join(thanked)} if thanked else {}),
        "version": f"0.0.{int(dataset['version'][:8], 16)}",
        "keywords": ["visual storytelling", "animation", "storystream"],
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": "repository",
                "name": "repository",
                "description": "The repository with all files of the dataset.",
                "contentUrl": f"{address}/tree/main",
                "encodingFormat": "git+https",
                # A repository has no digest; catalogues give this address in its place.
                "sha256": "https://github.com/mlcommons/croissant/issues/80",
            },
            {
                "@type": "cr:FileSet",
                "@id": "stories-files",
                "containedIn": {"@id": "repository"},
                "encodingFormat": _PARQUET,
                "includes": sorted({_pattern(record.path) for record in stories}),
            },
            *(_file(record, address) for record in (*stories, films)),
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "stories",
                "key": {"@id": "stories/id"},
                "field": [
                    _field("stories", "id", "sc:Text"),
                    _field("stories", "images", "sc:ImageObject", json_path="[*].bytes"),
                    _field("stories", "captions", "sc:Text", repeated=True),
                    *(
                        _field("stories", name, "sc:Text")
                        for name in ("film", "title", "language", "license", "attribution")
                    ),
                ],
            },
            {
                "@type": "cr:RecordSet",
                "@id": "films",
                "key": {"@id": "films/id"},
                "field": [
                    _field("films", name, kind, file=films.path)
                    for name, kind in (
                        ("id", "sc:Text"),
                        ("series", "sc:Text"),
                        ("title", "sc:Text"),
                        ("duration", "sc:Float"),
                        ("license", "sc:Text"),
                        ("attribution", "sc:Text"),
                    )
                ],
            },
        ],
    }


def _license(text: str) -> str:
    """Returns the address of a licence where the hub knows it, else what is written."""
    name = license_id(text)
    if name == "cc0-1.0":
        return "https://creativecommons.org/publicdomain/zero/1.0/"
    if name.startswith("cc-"):
        kind, _, version = name.removeprefix("cc-").rpartition("-")
        return f"https://creativecommons.org/licenses/{kind}/{version}/"
    return text or "not given"


def _pattern(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/{name.partition('-')[0]}-*.parquet"


def _file(record: FileRecord, address: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": record.path,
        "name": record.path,
        "contentUrl": f"{address}/resolve/main/{record.path}",
        "contentSize": f"{record.bytes} B",
        "encodingFormat": _PARQUET,
        "sha256": record.sha256,
    }


def _field(
    of: str, name: str, kind: str, repeated: bool = False, json_path: str = "", file: str = ""
) -> dict[str, Any]:
    source: dict[str, Any] = (
        {"fileObject": {"@id": file}} if file else {"fileSet": {"@id": "stories-files"}}
    )
    source["extract"] = {"column": name}
    if json_path:
        source["transform"] = {"jsonPath": json_path}
    return {
        "@type": "cr:Field",
        "@id": f"{of}/{name}",
        "dataType": kind,
        "source": source,
        **({"repeated": True} if repeated or json_path else {}),
    }
