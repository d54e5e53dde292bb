"""Dialogue from a film's sound: when, in which words, and what is not believed.

The Whisper of these tests is a real one as far as faster-whisper can tell, only small: its weights
are set so that it says the same two sentences over all that it hears. The voice is made of pulses
and vowels; Silero's detector, which is the real one, takes it for speech.
"""

import re
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest

from pipeline.ingest import speech
from pipeline.ingest.speech import RATE, SpeechError, check, lines, recognise
from pipeline.ingest.subtitle_lines import Line
from schemas.rows import Video

pytest.importorskip("faster_whisper")
SAYS = "<|0.40|> Hello there!<|1.20|><|1.40|> Who are you?<|2.00|>"
LANGUAGES = ["en", "fr", "de"]


# --- a Whisper that knows two sentences ----------------------------------------------------------


def make_whisper(folder, says=SAYS, hears="fr", languages=LANGUAGES):
    """A Whisper in faster-whisper's format that says the same over any sound, in any language.

    Its layers are off, so that the next token depends on its place alone: what the embedding of a
    place points at. `hears` is the language it detects; without languages it knows only English.
    """
    torch = pytest.importorskip("torch")
    from ctranslate2.converters.transformers import WhisperLoader
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    # faster-whisper bans the first token of " -", " '" and " ♩": it must not be the space alone.
    merges = [("Ġ", letter) for letter in "-'â"]
    text = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *map("".join, merges)]
    special = [
        "<|endoftext|>",
        "<|startoftranscript|>",
        *[f"<|{one}|>" for one in languages],
        "<|translate|>",
        "<|transcribe|>",
        "<|startoflm|>",
        "<|startofprev|>",
        "<|nospeech|>",
        "<|notimestamps|>",
        *[f"<|{i * 0.02:.2f}|>" for i in range(1501)],
    ]
    tokenizer = Tokenizer(
        models.BPE(vocab={one: i for i, one in enumerate([*text, "unused"])}, merges=merges)
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(special)
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    # What marks a Whisper as one of many languages is that it has an empty token.
    tokens = [*text, "" if languages else "unused", *special]

    # The first tokens are given: the start, and the language and the task where there are several.
    given = [f"<|{hears}|>", "<|transcribe|>"] if languages else []
    script = tokenizer.encode("".join([*given, says, "<|endoftext|>"])).ids
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=len(tokens),
            d_model=64,
            encoder_layers=1,
            decoder_layers=1,
            encoder_attention_heads=1,
            decoder_attention_heads=1,
            encoder_ffn_dim=64,
            decoder_ffn_dim=64,
            pad_token_id=0,
            bos_token_id=0,
            eos_token_id=0,
            decoder_start_token_id=0,
        )
    )
    decoder = model.model.decoder
    with torch.no_grad():
        directions = torch.nn.functional.normalize(torch.randn(len(tokens), 64), dim=-1)
        decoder.embed_tokens.weight.copy_(directions)
        decoder.embed_positions.weight[: len(script)] = 20 * directions[script]
        decoder.layer_norm.weight.fill_(8)  # how sure it is
        for layer in decoder.layers:
            for last in (layer.self_attn.out_proj, layer.encoder_attn.out_proj, layer.fc2):
                last.weight.zero_()
                last.bias.zero_()
        spec = WhisperLoader().get_model_spec(model)
    spec.register_vocabulary(tokens)
    spec.config.suppress_ids, spec.config.suppress_ids_begin = [], []
    spec.config.lang_ids = [tokens.index(f"<|{one}|>") for one in languages]
    spec.validate()
    spec.optimize()
    spec.save(str(folder))
    return str(folder)


@pytest.fixture(scope="module")
def whisper(tmp_path_factory):
    return make_whisper(tmp_path_factory.mktemp("models") / "whisper")


# --- films with sound ----------------------------------------------------------------------------


def silence(seconds):
    return np.zeros(round(seconds * RATE), np.float32)


def voice(seconds):
    """Something like speech: vowels of a low voice, five a second, a hiss before each."""
    random = np.random.default_rng(0)
    t = np.arange(round(seconds * RATE)) / RATE
    pitch = 130 * (1 + 0.12 * np.sin(10.7 * t) + 0.05 * np.sin(3.8 * t))
    pulses = np.diff(np.floor(np.cumsum(pitch) / RATE), prepend=0)
    vowels = [(730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480)]
    ring = np.arange(1024) / RATE
    sound = []
    for start in range(0, len(t), RATE // 5):
        piece = pulses[start : start + RATE // 5]
        vowel = sum(
            loud * np.convolve(piece, np.exp(-283 * ring) * np.sin(2 * np.pi * f * ring))
            for loud, f in zip((1, 0.6, 0.3), vowels[random.integers(4)], strict=True)
        )
        vowel = vowel[: len(piece)] * np.sin(np.pi * np.arange(len(piece)) / (RATE // 5)) ** 0.5
        vowel[:800] += random.normal(0, 0.05, len(vowel[:800]))
        sound.append(vowel)
    whole = np.concatenate(sound)
    return (0.3 * whole / np.abs(whole).max()).astype(np.float32)


def make_film(path, *tracks, picture_at=0.0, sound_at=0.0, rate=RATE, gap=None):
    """A grey film of 24 pictures, one a second, with sound tracks: (language, samples) each. gap:
    a time of the sound and the seconds for which there is none after it."""
    with av.open(str(path), "w") as out:
        pictures = out.add_stream("mpeg4", rate=1)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        pictures.codec_context.time_base = Fraction(1, 1000)
        sounds = [out.add_stream("pcm_s16le", rate=rate, layout="mono") for _ in tracks]
        for stream, (language, _) in zip(sounds, tracks, strict=True):
            stream.metadata["language"] = language
        for i in range(24):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 128, np.uint8), format="rgb24")
            frame.pts, frame.time_base = round((i + picture_at) * 1000), Fraction(1, 1000)
            out.mux(pictures.encode(frame))
        out.mux(pictures.encode(None))
        for stream, (_, samples) in zip(sounds, tracks, strict=True):
            whole = np.interp(
                np.arange(len(samples) * rate // RATE) * RATE / rate,
                np.arange(len(samples)),
                samples,
            )
            for start in range(0, len(whole), 1024):
                block = av.AudioFrame.from_ndarray(
                    (whole[None, start : start + 1024] * 32767).astype(np.int16),
                    format="s16",
                    layout="mono",
                )
                later = gap[1] if gap and start / rate >= gap[0] else 0
                block.sample_rate, block.time_base = rate, Fraction(1, rate)
                block.pts = start + round((sound_at + later) * rate)
                out.mux(stream.encode(block))
            out.mux(stream.encode(None))
    return Video(id="f", uri=str(path), series="", title="", duration=24.0)


TALK = np.concatenate([silence(3), voice(3), silence(5), voice(3), silence(3)])  # at 3 s and 11 s


# --- what is heard -------------------------------------------------------------------------------


class TestFilm:
    def test_each_stretch_of_speech_is_heard_where_it_is(self, tmp_path, whisper):
        said = recognise(make_film(tmp_path / "f.mkv", ("eng", TALK)), whisper, "en")
        assert [line.text for line in said] == ["Hello there!", "Who are you?"] * 2
        # The detector takes 0.4 s before the voice with it; Whisper's times count from there.
        near = pytest.approx
        assert [line.start for line in said] == near([3.0, 4.0, 11.0, 12.0], abs=0.1)
        assert [line.end for line in said] == near([3.8, 4.6, 11.8, 12.6], abs=0.1)

    def test_times_count_from_the_first_picture(self, tmp_path, whisper):
        there = recognise(make_film(tmp_path / "a.mkv", ("eng", TALK)), whisper, "en")
        late = make_film(tmp_path / "b.mkv", ("eng", TALK), picture_at=2.0, sound_at=1.0)
        assert [
            round(line.start - same.start, 3)
            for line, same in zip(recognise(late, whisper, "en"), there, strict=True)
        ] == [-1.0] * 4

    def test_sound_after_a_gap_in_the_time_stamps_stays_in_place(self, tmp_path, whisper):
        cut = make_film(tmp_path / "f.mkv", ("eng", TALK), gap=(8.0, 4.0))
        assert [line.start for line in recognise(cut, whisper, "en")] == pytest.approx(
            [3.0, 4.0, 15.0, 16.0], abs=0.1
        )

    def test_other_rates_are_resampled(self, tmp_path, whisper):
        film = make_film(tmp_path / "f.mkv", ("eng", TALK), rate=44_100)
        assert [line.start for line in recognise(film, whisper, "en")] == pytest.approx(
            [3.0, 4.0, 11.0, 12.0], abs=0.1
        )

    def test_a_broadcast_may_change_its_channels(self):
        frames = []
        for i, (layout, channels) in enumerate([("stereo", 2), ("5.1", 6), ("stereo", 2)]):
            frame = av.AudioFrame.from_ndarray(
                np.full((channels, 4800), 0.1, np.float32), format="fltp", layout=layout
            )
            frame.sample_rate, frame.pts, frame.time_base = 48_000, i * 4800, Fraction(1, 48_000)
            frames.append(frame)
        pieces = list(speech._resampled(frames))
        assert sum(len(samples) for _, samples in pieces) == 3 * 1600
        assert [round(time, 1) for time, samples in pieces if len(samples) > 100] == [0, 0.1, 0.2]

    def test_a_long_film_comes_in_blocks_cut_where_it_is_quiet(
        self, tmp_path, whisper, monkeypatch
    ):
        film = make_film(tmp_path / "f.mkv", ("eng", TALK))
        whole = recognise(film, whisper, "en")
        monkeypatch.setattr(speech, "_BLOCK", 12 * RATE)  # ends in the second voice
        monkeypatch.setattr(speech, "_TAIL", 6 * RATE)
        done = []
        in_blocks = recognise(film, whisper, "en", tick=done.append)
        assert [line.text for line in in_blocks] == [line.text for line in whole]
        assert [line.start for line in in_blocks] == pytest.approx(
            [line.start for line in whole], abs=0.1
        )
        assert done == [pytest.approx(6.25 / 24, abs=0.01), pytest.approx(17 / 24, abs=0.01)]

    def test_is_the_same_again_and_with_more_threads(self, tmp_path, whisper):
        film = make_film(tmp_path / "f.mkv", ("eng", TALK))
        assert recognise(film, whisper, "en") == recognise(film, whisper, "en", threads=2)

    def test_a_model_is_loaded_once(self, tmp_path, whisper):
        film = make_film(tmp_path / "f.mkv", ("eng", TALK))
        recognise(film, whisper, "en")
        loaded = speech._load.cache_info().misses
        recognise(film, whisper, "en")
        assert speech._load.cache_info().misses == loaded

    def test_silence_music_and_no_sound_give_nothing(self, tmp_path, whisper):
        t = np.arange(15 * RATE) / RATE
        chord = sum(0.1 * np.sin(2 * np.pi * f * t) for f in (261.6, 329.6, 392.0))
        films = [
            make_film(tmp_path / "silent.mkv", ("eng", silence(15))),
            make_film(tmp_path / "music.mkv", ("eng", chord.astype(np.float32))),
            make_film(tmp_path / "none.mkv"),
        ]
        assert [recognise(film, whisper, "en") for film in films] == [[], [], []]

    def test_the_track_in_the_language_is_heard(self, tmp_path, whisper):
        film = make_film(tmp_path / "f.mkv", ("eng", silence(15)), ("fre", TALK))
        assert recognise(film, whisper, "en") == []
        assert len(recognise(film, whisper, "fr")) == 4

    def test_the_language_is_detected_once_where_it_is_not_known(
        self, tmp_path, whisper, monkeypatch
    ):
        asked = []
        listen = speech._transcribe

        def spy(samples, model, language, threads):
            asked.append(language)
            return listen(samples, model, language, threads)

        monkeypatch.setattr(speech, "_transcribe", spy)
        cut = make_film(tmp_path / "f.mkv", ("und", TALK), gap=(2.0, 1.0))
        late = make_film(tmp_path / "g.mkv", ("und", TALK), gap=(8.0, 1.0))
        assert len(recognise(cut, whisper, "")) == 4
        assert asked == ["", ""]  # nothing is said before the gap
        asked.clear()
        recognise(late, whisper, "")
        assert asked == ["", "fr"]

    def test_a_language_that_the_model_does_not_know(self, tmp_path):
        only = make_whisper(tmp_path / "english", languages=[])
        film = make_film(tmp_path / "f.mkv", ("", TALK))
        assert [line.text for line in recognise(film, only, "en-GB")][:1] == ["Hello there!"]
        with pytest.raises(SpeechError, match="english does not know the language 'fr'"):
            recognise(film, only, "fra")

    def test_no_line_outlasts_the_speech(self, tmp_path):
        long = make_whisper(
            tmp_path / "long", "<|0.40|> Hello there!<|1.20|><|1.40|> Who are you?<|28.00|>"
        )
        said = recognise(make_film(tmp_path / "f.mkv", ("eng", TALK)), long, "en")
        assert [line.end for line in said if line.text == "Who are you?"] == pytest.approx(
            [6.4, 14.4], abs=0.4
        )

    def test_what_is_no_film(self, tmp_path, whisper):
        (tmp_path / "f.mkv").write_text("not a film")
        with pytest.raises(SpeechError, match="its sound cannot be read"):
            recognise(Video(id="f", uri=str(tmp_path / "f.mkv"), series="", title=""), whisper, "")


# --- what is believed ----------------------------------------------------------------------------


def heard(text, start=1.0, end=2.0, **scores):
    """A segment as faster-whisper gives them, of which Whisper is sure."""
    return SimpleNamespace(
        **{
            "text": text,
            "start": start,
            "end": end,
            "avg_logprob": -0.3,
            "no_speech_prob": 0.1,
            "compression_ratio": 1.2,
        }
        | scores
    )


def texts(*segments):
    return [line.text for line in lines(segments, 0.0)]


class TestLines:
    def test_are_shifted_and_stripped(self):
        assert lines([heard(" Where are you? ", 1.25, 2.5), heard(" Here!", 3.0, 3.5)], 10.5) == [
            Line(11.75, 13.0, "Where are you?"),
            Line(13.5, 14.0, "Here!"),
        ]

    @pytest.mark.parametrize(
        ("scores", "believed"),
        [
            ({"no_speech_prob": 0.6}, True),
            ({"no_speech_prob": 0.61}, False),
            ({"avg_logprob": -1.0}, True),
            ({"avg_logprob": -1.01}, False),
            ({"compression_ratio": 2.4}, True),
            ({"compression_ratio": 2.41}, False),
        ],
    )
    def test_that_whisper_is_unsure_of_are_left_out(self, scores, believed):
        assert texts(heard("Hello.", **scores)) == ["Hello."] * believed

    @pytest.mark.parametrize(
        "text",
        [
            " Thanks for watching!",
            "Thank you so much for watching.",
            "Please subscribe.",
            "Don't forget to like and subscribe!",
            "Subtitles by the Amara.org community",
            "Captioned by John",
            "Sous-titres réalisés par la communauté d'Amara.org",
            "Untertitel im Auftrag des ZDF für funk, 2017",
            "Subtítulos realizados por la comunidad",
            "Legendas pela comunidade",
            "Субтитры сделал DimaTorzok",
            "ご視聴ありがとうございました",
            "字幕由志愿者提供",
            "시청해 주셔서 감사합니다.",
            "www.mooji.org",
            "[Music]",
            "(dramatic music)",
            "♪ La la la ♪",
            "...",
            "",
        ],
    )
    def test_that_nobody_said_are_left_out(self, text):
        assert texts(heard(text)) == []

    @pytest.mark.parametrize(
        "text",
        [
            "Thank you.",
            "Thanks for the watch.",
            "I am watching you.",
            "We subscribe to no such thing.",
            "By the captain's order!",
            "Der Untertan ist da.",
        ],
    )
    def test_that_somebody_may_have_said_stay(self, text):
        assert texts(heard(text)) == [text]

    def test_in_a_loop_are_said_once(self):
        again = [
            heard("No, no!", 1, 2),
            heard(" no no", 4, 5),
            heard("No, no.", 14.5, 15),
            heard("Why?", 16, 17),
            heard("No, no!", 18, 19),
            heard("No, no!", 40, 41),
        ]
        assert [(line.start, line.text) for line in lines(again, 0.0)] == [
            (1.0, "No, no!"),
            (16.0, "Why?"),
            (18.0, "No, no!"),
            (40.0, "No, no!"),
        ]


# --- which models --------------------------------------------------------------------------------


class TestCheck:
    def test_takes_folders_names_and_ids(self, whisper):
        for model in (whisper, "small", "Systran/faster-whisper-small"):
            check(model)

    def test_says_what_a_folder_lacks(self, tmp_path):
        (tmp_path / "model.safetensors").touch()
        with pytest.raises(
            ValueError,
            match=re.escape(
                "(it lacks model.bin, config.json, tokenizer.json): make one with "
                "ct2-transformers-converter"
            ),
        ):
            check(str(tmp_path))

    @pytest.mark.parametrize("model", ["./small", "/models/none", "smal", "a/b/c", ""])
    def test_says_that_there_is_none(self, model):
        with pytest.raises(
            ValueError,
            match=re.escape("no such folder, and no model of that name; there are tiny.en, tiny"),
        ):
            check(model)

    def test_says_what_to_install(self, monkeypatch):
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(ValueError, match=re.escape("pip install 'storystream[speech]'")):
            check("small")
