"""A small dataset, made without the pipeline, whose names and texts attack HTML and Markdown."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
from PIL import Image

from pipeline.dataset import report
from schemas.published import keyframe_id
from schemas.rows import CastMember, Keyframe, Place, Reject, Scene, Scores, Story, to_table

EVIL = "</script><script>alert(1)</script>"
QUOTES = "\"double\" 'single' `back` <b>bold</b> & {{ 7 * 7 }} | # [x](http://evil.example/)"
RTL = "قال الأرنب: \u202eمرحبا"
TEXTS = [EVIL, QUOTES, RTL, "one\ntwo\u2028three", "🐇 hop", "<!--<script>", "plain words"]


def picture(path: Path, colour: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 36), colour).save(path)


def keyframe(video: str, number: int) -> Keyframe:
    name = keyframe_id(video, 4.0 * number)
    return Keyframe(
        id=name,
        video=video,
        series="Series " + EVIL,
        image=f"images/{video}/{name}.jpg",
        time=4.0 * number,
        shot=number // 2,
        shot_start=8.0 * (number // 2),
        shot_end=8.0 * (number // 2) + 7.9,
        width=64,
        height=36,
        crop=[0, 0, 64, 36],
        bytes=700,
        sha256="0" * 64,
        phash="0" * 64,
        sharpness=100.0,
        brightness=number / 40,
        camera_motion=[0.0, 0.0],
        subject_motion=[0.0, 0.0],
        dialogue=[TEXTS[number % 7]],
        recognised=number == 3,
        text=[TEXTS[(number + 1) % 7]],
    )


def scores(repetition: float) -> Scores:
    return Scores(
        repetition=repetition,
        reading_grade=None,
        language_share=1.0,
        toxic_words=0,
        name_consistency=0.95,
        repaired_share=0.0333,
        grounding=0.8,
        similarity=None,
    )


def story(keyframes: list[Keyframe], number: int, split: str, scores: Scores | None) -> Story:
    count = len(keyframes)
    return Story(
        id=f"{keyframes[0].video}_story_{number:03d}",
        video=keyframes[0].video,
        series=keyframes[0].series,
        split=split,
        complete=count == 30,
        images=[keyframe.image for keyframe in keyframes],
        captions=[TEXTS[at % 7] for at in range(count)],
        orders=list(range(count)),
        descriptions=[TEXTS[(at + 2) % 7] for at in range(count)],
        caption_model="embedded-captioner-1",
        writers=["plain", *["model " + EVIL] * (count - 1)],
        repaired=[at == 3 for at in range(count)],
        scores=scores,
    )


def film(name: str, keyframes: int, stories: int, split: str, **values: object) -> dict:
    return {
        "id": name,
        "uri": f"/films/{name}.mp4",
        "series": "Series " + EVIL,
        "title": "Title " + QUOTES,
        "season": None,
        "episode": None,
        "language": "de-AT",
        "license": "CC BY 3.0",
        "attribution": EVIL,
        "fingerprint": "f",
        "duration": 120.0,
        "width": 64,
        "height": 36,
        "fps": 24.0,
        "keyframes": keyframes,
        "stories": stories,
        "split": split,
        **values,
    }


CAST = [
    CastMember(
        series="Series " + EVIL,
        name="Pip " + EVIL,
        named=True,
        colour="red",
        pictures=31,
        videos=["a"],
        first="a_keyframe_0-0-4-0",
        last="a_keyframe_0-1-4-500",
        costars=["Momo " + EVIL],
        costar_pictures=[7],
        crops=["characters/Series/Pip %22 <b>/a_keyframe_0-0-4-0.jpg"],
    ),
    CastMember(
        series="Series " + EVIL,
        name="grey figure",
        named=False,
        colour="grey",
        pictures=4,
        videos=["a"],
        first="a_keyframe_0-0-4-0",
        last="a_keyframe_0-0-4-0",
        costars=[],
        costar_pictures=[],
        crops=[],
    ),
]


def write_tables(out: Path, keyframes: list, stories: list, rejects: list) -> None:
    pq.write_table(to_table(keyframes, Keyframe), out / "keyframes.parquet")
    pq.write_table(to_table(stories, Story), out / "stories.parquet")
    pq.write_table(to_table([], Story), out / "dropped_stories.parquet")
    pq.write_table(to_table(rejects, Reject), out / "rejects.parquet")
    pq.write_table(to_table(CAST, CastMember), out / "cast.parquet")
    pq.write_table(to_table([], Scene), out / "scenes.parquet")
    pq.write_table(to_table([], Place), out / "places.parquet")
    for crop in CAST[0].crops:
        picture(out / crop, "red")


def write_dataset(out: Path) -> None:
    """Two films, 45 and 12 keyframes, three stories, nine rejects; one film cannot be read."""
    films = {'a "film" & <more> 100%#?': 45, "قصة": 12}
    keyframes = [keyframe(name, at) for name, count in films.items() for at in range(count)]
    first, second = keyframes[:45], keyframes[45:]
    stories = [
        story(first[:30], 0, "train", scores(0.0466)),
        story(first[30:], 1, "train", scores(0.5)),
        story(second, 0, "val", None),
    ]
    for shown in keyframes:
        picture(out / shown.image, "teal")
    rejects = [
        Reject("video", "/films/broken<b>.mp4", "unreadable", "cut short; fetch it again"),
        Reject("video", "/films/silent.mp4", "no keyframes", "nothing to see", "silent"),
        *(
            Reject(
                "keyframe",
                f"dropped {at}",
                "black",
                f"mean luma {at}",
                "قصة",
                f"rejected/قصة/dropped {at}.jpg",
            )
            for at in range(3)
        ),
        Reject("story", "tail", EVIL, "5 keyframes are left", "قصة", second[0].image),
        Reject("quality", "loop 1", "repetitive", "repetition is 0.7", "قصة", second[1].image),
        Reject("quality", "loop 2", "repetitive", "repetition is 0.9", "قصة"),
        Reject("characters", "Series " + EVIL, "no answer", "only those who speak by name"),
    ]
    for reject in rejects[2:5]:
        picture(out / reject.image, "black")
    write_tables(out, keyframes, stories, rejects)
    names = list(films)
    dataset = {
        "name": "Tales " + EVIL,
        "version": "a1b2",
        "created_by": "storystream 0.1",
        "config": {
            "captioner": "embedded",
            "writer": "embedded",
            "keyframes": {"every": 4.0},
            "stories": {"language": "en"},
            "speech": "",
            "characters": "",
            "quality": {
                "clip": "",
                "max_repetition": 0.6,
                "max_reading_grade": 18.0,
                "min_language_share": 0.7,
                "max_toxic_words": 0,
                "max_repaired": None,
                "min_name_consistency": 0.5,
                "min_grounding": 0.2,
                "min_similarity": None,
            },
        },
        "config_digest": "c0ffee",
        "models": {"captioner": "embedded", "writer": "embedded"},
        "prompts": {"caption": "1", "narrate": "2", "link": "3"},
        "versions": {"av": "18.1.0"},
        "characters": [
            {
                "series": "Series " + EVIL,
                "name": "Pip <b>",
                "look": "a brown monkey",
                "role": "",
                "called": ["the monkey", RTL],
                "source": "pen",
            },
            {
                "series": "Series " + EVIL,
                "name": "Momo",
                "look": "",
                "role": "",
                "called": [],
                "source": "given",
            },
            {
                "series": "Other",
                "name": "Otto",
                "look": "",
                "role": "",
                "called": [],
                "source": "subtitles",
            },
        ],
        "videos": [
            film(names[0], 45, 2, "train"),
            film(names[1], 12, 1, "val"),
            film("silent", 0, 0, "", license=""),
        ],
        "counts": {"videos": 3, "keyframes": 57, "stories": 3, "chunks": 5, "rejects": 9},
        "splits": {
            "train": {"videos": 1, "stories": 2, "chunks": 4},
            "val": {"videos": 1, "stories": 1, "chunks": 1},
        },
        "files": [
            {"path": "stories.parquet", "bytes": 1234, "sha256": "ab" * 32},
            *({"path": f"images/{at}.jpg", "bytes": 1000, "sha256": "0"} for at in range(50)),
        ],
    }
    (out / "dataset.json").write_text(json.dumps(dataset))
    keyframes_stage = {
        "name": "keyframes",
        "done": 2,
        "reused": 0,
        "seconds": 5.0,
        "input_tokens": 0,
        "output_tokens": 0,
        "cost": 0.0,
        "calls": 0,
        "kept": 0,
        "counters": {"rows Keyframe": 57},
        "earlier": {
            "seconds": 0,
            "input_tokens": 0,
            "output_tokens": 0,
            "cost": 0,
            "calls": 0,
            "kept": 0,
        },
    }
    captions_stage = {
        "name": "captions",
        "done": 50,
        "reused": 7,
        "seconds": 75.0,
        "input_tokens": 1500,
        "output_tokens": 300,
        "cost": 1.25,
        "calls": 1000,
        "kept": 7,
        "counters": {"rows Caption": 57},
        "earlier": {
            "seconds": 45,
            "input_tokens": 500,
            "output_tokens": 100,
            "cost": 0.5,
            "calls": 50,
            "kept": 0,
        },
    }
    run = {
        "started": "2026-01-02T03:04:05Z",
        "seconds": 80.0,
        "command": "make " + EVIL,
        "runner": "local",
        "stages": [keyframes_stage, captions_stage],
        "environment": {"python": "3.11"},
    }
    (out / "run.json").write_text(json.dumps(run))
    report.write(str(out))


def copy_of(dataset: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(dataset, tmp_path / "copy"))
