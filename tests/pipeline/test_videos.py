"""Finding films, naming them, and reading their headers."""

import os

import av
import pytest
from apache_beam.io.filesystem import FileMetadata
from apache_beam.io.localfilesystem import LocalFileSystem

from pipeline.videos import (
    VideoError,
    VideosError,
    describe,
    find,
    fingerprint,
    open_video,
    probe,
    video_ids,
    video_stream,
)
from schemas.rows import Video
from tests.films import make_film, moving, scene, still, tone


class Bucket(LocalFileSystem):
    """A storage without folders, as object stores are: bucket:///x is the local file /x."""

    @classmethod
    def scheme(cls):
        return "bucket"

    def has_dirs(self):
        return False

    def exists(self, path):
        return os.path.isfile(_local(path))

    def metadata(self, path):
        found = super().metadata(_local(path))
        found.path = path
        return found

    def _list(self, prefix):
        for folder, _, names in os.walk(os.path.dirname(_local(prefix))):
            for name in names:
                path = os.path.join(folder, name)
                if path.startswith(_local(prefix)):
                    yield FileMetadata("bucket://" + path, os.path.getsize(path))

    def _path_open(self, path, mode, *args, **kwargs):
        return super()._path_open(_local(path), mode, *args, **kwargs)


def _local(path):
    return path.removeprefix("bucket://")


def place(folder, *names, content=b"film"):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def film(tmp_path, name="film.mp4", frames=None, **options):
    return make_film(tmp_path / name, frames or moving(scene(1), 12), **options)


def probed(uri):
    return probe(Video(id="film", uri=uri, series="", title=""))


class TestFind:
    def test_folder_is_walked_and_paths_tell_series_season_episode_and_title(self, tmp_path):
        place(tmp_path, "Pip/Season 1/Pip - S01E02 - The Kite.mkv", "loose.mp4", "notes.txt",
              ".hidden.mp4", "Owl/1x03.webm")
        videos, rejects = find(str(tmp_path))
        assert rejects == []
        assert [(v.id, v.series, v.season, v.episode, v.title) for v in videos] == [
            ("Owl-1x03", "Owl", 1, 3, "1x03"),
            ("Pip-Season-1-Pip-S01E02-The-Kite", "Pip", 1, 2, "The Kite"),
            ("loose", tmp_path.name, None, None, "loose")]

    def test_named_file_is_taken_whatever_its_ending(self, tmp_path):
        place(tmp_path, "The_Boat.film")
        (video,), _ = find(str(tmp_path / "The_Boat.film"))
        assert (video.id, video.series, video.title) == ("The_Boat", "The_Boat", "The Boat")
        assert video.size == 4

    def test_glob_may_cross_folders(self, tmp_path):
        place(tmp_path, "a/1.mp4", "a/b/2.mp4", "3.mp4", "3.srt")
        videos, _ = find(f"{tmp_path}/**/*.mp4")
        assert [v.id for v in videos] == ["3", "a-1", "a-b-2"]

    def test_storage_prefix(self, tmp_path):
        place(tmp_path, "films/s/1.mp4", "films/s/1.en.srt", "films2/2.mp4")
        (video,), _ = find(f"bucket://{tmp_path}/films")
        assert (video.id, video.series, video.language) == ("s-1", "s", "en")
        assert video.uri == f"bucket://{tmp_path}/films/s/1.mp4"
        assert video.subtitles == f"bucket://{tmp_path}/films/s/1.en.srt"
        (named,), _ = find(f"bucket://{tmp_path}/films2/2.mp4")
        assert (named.id, named.series) == ("2", "2")

    @pytest.mark.parametrize("name", ["nowhere", "*.mp4", "empty"])
    def test_source_without_films_is_an_error_that_names_it(self, tmp_path, name):
        (tmp_path / "empty").mkdir()
        with pytest.raises(VideosError, match=r"no f|does not exist") as raised:
            find(f"{tmp_path}/{name}")
        assert name in str(raised.value)

    def test_empty_folder_error_lists_the_endings(self, tmp_path):
        with pytest.raises(VideosError, match=r"\.mkv, \.mov, \.mp4"):
            find(str(tmp_path))

    def test_what_is_no_film_file_becomes_a_reject_and_nothing_hangs(self, tmp_path):
        place(tmp_path, "good.mp4")
        place(tmp_path, "empty.mp4", content=b"")
        os.mkfifo(tmp_path / "pipe.mp4")
        os.symlink(tmp_path / "gone", tmp_path / "broken.mp4")
        os.symlink(tmp_path, tmp_path / "loop")
        with open(os.fsencode(tmp_path) + b"/caf\xe9.mp4", "wb") as file:
            file.write(b"film")
        videos, rejects = find(str(tmp_path))
        assert [v.id for v in videos] == ["good"]
        assert {(os.path.basename(r.key), r.stage, r.reason) for r in rejects} == {
            ("empty.mp4", "video", "empty"), ("pipe.mp4", "video", "not a file"),
            ("broken.mp4", "video", "missing"), ("caf\\udce9.mp4", "video", "name")}

    def test_order_and_ids_stay_when_films_are_added(self, tmp_path):
        place(tmp_path, "b.mp4", "b.mkv")
        before = {v.uri: v.id for v in find(str(tmp_path))[0]}
        place(tmp_path, "a.mp4", "c.mp4")
        after, _ = find(str(tmp_path))
        assert [v.uri for v in after] == sorted(v.uri for v in after)
        assert before.items() <= {v.uri: v.id for v in after}.items()


class TestManifest:
    def test_csv_names_films_relative_to_itself_and_wins_over_what_paths_tell(self, tmp_path):
        place(tmp_path, "x/one.mp4", "x/one.fr.srt", "s.vtt")
        (tmp_path / "manifest.csv").write_text(
            "uri,series,season,episode,language,license,attribution,subtitles,title\n"
            'x/one.mp4,Pip,2,7,de,CC-BY,"Pip, Owl",s.vtt,Die Reise\n')
        videos, rejects = find(str(tmp_path))
        assert rejects == []
        assert videos == [Video(
            id="x-one", uri=str(tmp_path / "x/one.mp4"), series="Pip", season=2, episode=7,
            title="Die Reise", language="de", license="CC-BY", attribution="Pip, Owl",
            subtitles=str(tmp_path / "s.vtt"), size=4)]

    def test_jsonl_with_a_film_and_subtitles_that_are_missing(self, tmp_path):
        place(tmp_path, "one.mp4")
        (tmp_path / "list.jsonl").write_text(
            '{"uri": "one.mp4", "season": 3, "subtitles": "no.srt"}\n\n{"uri": "two.mp4"}\n')
        (video,), rejects = find(str(tmp_path / "list.jsonl"))
        assert (video.id, video.season, video.episode, video.subtitles) == ("one", 3, None, "")
        assert [(r.stage, r.key, r.reason) for r in rejects] == [
            ("video", str(tmp_path / "two.mp4"), "missing"),
            ("subtitles", str(tmp_path / "no.srt"), "missing")]

    def test_film_named_twice_is_taken_once(self, tmp_path):
        place(tmp_path, "one.mp4")
        (tmp_path / "manifest.csv").write_text("uri\none.mp4\none.mp4\n")
        videos, rejects = find(str(tmp_path))
        assert [v.id for v in videos] == ["one"]
        assert [r.reason for r in rejects] == ["duplicate"]

    def test_films_elsewhere_with_one_name_have_ids_of_their_own(self, tmp_path):
        place(tmp_path, "a/x.mp4", "b/x.mp4", "c/x.mp4", "m/.keep")
        (tmp_path / "m/manifest.csv").write_text(
            f"uri\n../a/x.mp4\n{tmp_path}/b/x.mp4\n../c/x.mp4\n")
        videos, _ = find(str(tmp_path / "m"))
        assert len({v.id for v in videos}) == 3
        assert all(v.id.startswith("x") for v in videos)

    @pytest.mark.parametrize(("text", "message"), [
        ("uri,serie\nx.mp4,Pip\n", "line 2: unknown column 'serie'; known are uri, series"),
        ("uri,title\nx.mp4,a\n,b\n", "line 3: no uri"),
        ("uri,season\nx.mp4,two\n", "line 2: season is 'two', not a whole number"),
        ("uri,title\nx.mp4,a,b\n", "line 2: more cells"),
        ("uri\n", "no rows"),
    ])
    def test_mistakes_are_named_with_their_line(self, tmp_path, text, message):
        (tmp_path / "manifest.csv").write_text(text)
        with pytest.raises(VideosError, match=message):
            find(str(tmp_path))

    def test_line_that_is_no_json(self, tmp_path):
        (tmp_path / "manifest.jsonl").write_text('{"uri": "a"}\n{"uri"\n')
        with pytest.raises(VideosError, match="line 2: not JSON"):
            find(str(tmp_path))


class TestIds:
    def test_hostile_names_give_safe_ids(self):
        names = ["../x.mp4", "a\nb.mp4", "-rf.mp4", ".mp4", "...", "Žluť ☃/ō.mkv", "a/../..mp4"]
        assert video_ids(names) == ["x", "a-b", "rf", "mp4", "video", "Žluť-ō", "a"]

    def test_same_letters_composed_or_not(self):
        assert video_ids(["caf\u00e9.mp4", "cafe\u0301.mkv"])[0] == "caf\u00e9"

    def test_one_id_in_whatever_case_is_given_once(self):
        first, second, third = video_ids(["a b.mp4", "A-B.mp4", "a.b.mkv"])
        assert first == "a-b"
        assert second.startswith("A-B-")
        assert third.startswith("a-b-")
        assert len(second) == len(third) == len("a-b-01234567")

    def test_long_names_are_cut_and_told_apart(self):
        one, other, wide = video_ids(["x" * 200 + "1.mp4", "x" * 200 + "2.mp4", "長" * 99 + ".mp4"])
        assert len(one) == len(other) == 80
        assert one != other
        assert len(wide.encode()) <= 200


@pytest.mark.parametrize(("path", "told"), [
    ("Pip/Season 1/Episode 2 - The Kite.mp4", ("Pip", 1, 2, "The Kite")),
    ("Pip.S03E11.1080p.x264.mkv", ("films", 3, 11, "Pip")),
    ("owl_and_fox.mp4", ("films", None, None, "owl and fox")),
    ("Season 2/2x05 [rip] Home.mp4", ("films", 2, 5, "Home")),
    ("Room 1280x720.mp4", ("films", None, None, "Room 1280x720")),
])
def test_describe(path, told):
    assert describe(path, "films") == told


class TestSidecar:
    @pytest.mark.parametrize(("names", "language", "chosen"), [
        (["f.srt"], "", "f.srt"),
        (["f.de.srt", "f.eng.vtt"], "", "f.eng.vtt"),
        (["f.de.srt", "f.en.srt"], "de", "f.de.srt"),
        (["f.pt-BR.ass", "f.en.srt"], "pt", "f.pt-BR.ass"),
        (["f.fr.srt", "f.it.srt"], "", "f.fr.srt"),
        (["f.en.forced.srt", "f.fr.srt"], "en", "f.fr.srt"),
        (["f.2.srt", "f2.srt", "f.txt"], "", ""),
    ])
    def test_choice(self, tmp_path, names, language, chosen):
        place(tmp_path, "f.mp4", *names)
        (tmp_path / "m.csv").write_text(f"uri,language\nf.mp4,{language}\n")
        (video,), _ = find(str(tmp_path / "m.csv"))
        assert os.path.basename(video.subtitles) == chosen

    def test_its_language_is_taken_for_the_films(self, tmp_path):
        place(tmp_path, "f.mp4", "f.ger.srt")
        assert find(str(tmp_path))[0][0].language == "de"


class TestFingerprint:
    def test_tells_size_start_end_and_middle_apart(self, tmp_path):
        path = tmp_path / "f"
        seen = set()
        for at in (None, 0, 3 << 20, (8 << 20) - 1):
            content = bytearray(8 << 20)
            if at is not None:
                content[at - (at == 3 << 20) * 30_000] = 1
            path.write_bytes(content)
            seen.add(fingerprint(str(path)))
        path.write_bytes(bytes((8 << 20) + 1))
        assert len(seen | {fingerprint(str(path))}) >= 4

    def test_small_file_counts_whole(self, tmp_path):
        (tmp_path / "a").write_bytes(b"x" * 1000 + b"1" + b"x" * 1000)
        (tmp_path / "b").write_bytes(b"x" * 1000 + b"2" + b"x" * 1000)
        assert fingerprint(str(tmp_path / "a")) != fingerprint(str(tmp_path / "b"))
        assert len(fingerprint(str(tmp_path / "a"))) == 64


class TestProbe:
    def test_plain_film(self, tmp_path):
        uri = film(tmp_path)
        video = probed(uri)
        assert (video.width, video.height, video.fps, video.duration, video.rotation) == (
            320, 180, 24.0, 0.5, 0)
        assert video.size == os.path.getsize(uri)
        assert video.fingerprint == fingerprint(uri)

    @pytest.mark.parametrize(("rotation", "size"), [(90, (180, 320)), (180, (320, 180)),
                                                    (270, (180, 320))])
    def test_rotation_is_clockwise_and_turns_the_size(self, tmp_path, rotation, size):
        video = probed(film(tmp_path, rotation=rotation))
        assert (video.rotation, (video.width, video.height)) == (rotation, size)

    @pytest.mark.parametrize("ending", ["mp4", "mkv"])
    def test_variable_frame_rate_and_late_start(self, tmp_path, ending):
        uri = film(tmp_path, f"f.{ending}", frames=still(scene(1), 4), pts=[5, 6, 8, 9])
        assert probed(uri).duration == pytest.approx(4, abs=1.5)  # the last frame's length is open

    @pytest.mark.parametrize(("codec", "ending"), [("libvpx", "webm"), ("mpeg4", "avi"),
                                                   ("mpeg2video", "ts"), ("flv", "flv")])
    def test_other_containers(self, tmp_path, codec, ending):
        video = probed(film(tmp_path, f"f.{ending}", codec=codec))
        assert (video.width, video.height) == (320, 180)
        assert video.duration == pytest.approx(0.5, abs=0.1)

    def test_recorded_stream_without_a_duration_is_measured_by_its_packets(self, tmp_path):
        uri = film(tmp_path, "f.mkv", container_options={"live": "1"})
        assert probed(uri).duration == pytest.approx(0.5, abs=0.001)

    @pytest.mark.parametrize("ending", ["mp4", "mkv"])
    def test_largest_track_is_the_film_and_cover_art_is_not(self, tmp_path, ending):
        uri = film(tmp_path, f"f.{ending}", second_track=True, cover=scene(2, 360, 640))
        assert (probed(uri).width, probed(uri).height) == (320, 180)
        with open_video(uri) as container:
            assert video_stream(container).codec_context.name == "h264"

    def test_remote_film_is_read_through_beam(self, tmp_path):
        local = probed(film(tmp_path))
        remote = probed("bucket://" + film(tmp_path))
        assert (remote.fingerprint, remote.duration, remote.size) == (
            local.fingerprint, local.duration, local.size)

    def test_path_that_looks_like_a_protocol_is_a_path(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        os.rename(film(tmp_path), "concat:a.mp4")
        assert probed("concat:a.mp4").duration == 0.5

    def test_sound_alone_is_no_film(self, tmp_path):
        path = str(tmp_path / "song.m4a")
        with av.open(path, "w", format="mp4") as out:
            stream = out.add_stream("aac", rate=16_000, layout="mono")
            for frame in tone(0.2):
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        with pytest.raises(VideoError, match="no video track"):
            probed(path)

    def test_text_is_no_film(self, tmp_path):
        place(tmp_path, "f.mp4", content=b"not a film" * 100)
        with pytest.raises(VideoError, match="cannot be read as video: "):
            probed(str(tmp_path / "f.mp4"))

    def test_missing_film(self, tmp_path):
        with pytest.raises(OSError):
            probed(str(tmp_path / "gone.mp4"))
