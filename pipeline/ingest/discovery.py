"""Discovery: which films a source (file, folder, glob, storage prefix, manifest) names.

No film is opened. Series, season, episode, title and language come from the manifest, else from the
names of folders, films and the subtitles beside them.
"""

from __future__ import annotations

from collections.abc import Collection

from pipeline.ingest import listing, naming, other_files, sidecars
from pipeline.ingest.source_files import (
    SourceError,
    SourceFile,
    check_file,
    printable,
    scheme_fault,
)
from schemas.rows import Reject, Video


def find(source: str, schemes: Collection[str] = ()) -> tuple[list[Video], list[Reject]]:
    """Finds the films of a source; returns them sorted by their path in it, and the rejects.

    source: a film, a folder (walked with its subfolders; hidden files are left out), a glob, a
    storage prefix such as "gs://bucket/films", or a manifest (see `manifests`, with the columns
    `manifests.COLUMNS`). A folder with a manifest.csv or manifest.jsonl is read by it. In folders a
    film is known by its ending; a file that is named, by a path, a glob or a manifest, is taken
    whatever its ending. schemes: of uris, such as "https", that are fetched beside paths, gs:// and
    s3://; others become rejects.

    Raises SourceError where nothing is found or a manifest is wrong.
    """
    if fault := scheme_fault(source, schemes):
        raise SourceError(f"{source!r}: {fault}")
    listed = listing.list_files(source)
    files = sorted(listed.films, key=lambda file: (file.relative, file.uri))
    rejects = []
    usable: list[tuple[SourceFile, int]] = []
    uris: set[str] = set()
    for file in files:
        if file.fault:
            size, reason, detail = 0, file.reason, file.fault
        elif fault := scheme_fault(file.uri, schemes):
            size, reason, detail = 0, "scheme", fault
        else:
            size, reason, detail = check_file(file.uri, file.size)
        if not reason and file.uri in uris:
            reason, detail = "duplicate", "the source names it twice"
        uris.add(file.uri)
        if reason:
            rejects.append(Reject("video", printable(file.uri), reason, detail))
        else:
            usable.append((file, size))
    ids = naming.video_ids([file.relative for file, _ in usable])
    subtitles = sidecars.subtitle_files(listed.others) if listed.walked else None
    beside = sidecars.Sidecars([file.uri for file, _ in usable], subtitles)
    videos = []
    for (file, size), video_id in zip(usable, ids, strict=True):
        video, missing = _video(file, video_id, size, beside, schemes)
        videos.append(video)
        rejects += missing
    rejects += [
        Reject(
            "subtitles",
            printable(folder),
            "unlisted",
            "the folder may not be listed, so that subtitles beside its films are not found: "
            f"allow it, or name them in a manifest ({printable(error)})",
        )
        for folder, error in beside.unlisted.items()
    ]
    if listed.walked:  # else the subtitles beside some films may be those of others
        rejects += [
            Reject("subtitles", printable(path), "of no film", detail)
            for path, detail in beside.unattached.items()
        ]
        rest = sorted({*listed.others} - {*(subtitles or ())})
        rejects += other_files.rejects(rest, listed.base)
    elif listed.manifest:
        rejects += other_files.not_named(listed.manifest, listed.others, uris, listed.base)
    return videos, rejects


def _video(
    file: SourceFile,
    video_id: str,
    size: int,
    beside: sidecars.Sidecars,
    schemes: Collection[str],
) -> tuple[Video, list[Reject]]:
    """Makes the row of a film, and a reject where its manifest names unusable subtitles."""
    row = file.row
    series, season, episode, title = naming.parse_path(file.relative, file.root)
    subtitles, language, rejects = row.get("subtitles", ""), "", []
    if subtitles:
        fault = scheme_fault(subtitles, schemes)
        if reason := "scheme" if fault else check_file(subtitles)[1]:
            detail = fault or "named by the manifest"
            rejects.append(Reject("subtitles", printable(subtitles), reason, detail, video_id))
            subtitles = ""
    elif sidecar := sidecars.choose(beside.of(file.uri), row.get("language", "")):
        subtitles, language = sidecar.path, sidecar.language
    return Video(
        id=video_id,
        uri=file.uri,
        size=size,
        subtitles=subtitles,
        series=row.get("series") or series,
        title=row.get("title") or title,
        season=int(row["season"]) if row.get("season") else season,
        episode=int(row["episode"]) if row.get("episode") else episode,
        language=row.get("language") or language,
        license=row.get("license", ""),
        attribution=row.get("attribution", ""),
    ), rejects
