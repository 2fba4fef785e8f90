"""Pictures promise: every mode is drawn, files stay small, what is in a map is seen, ranges are obeyed."""

import io
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field

import pytest
from PIL import Image

from osuT5.beatmap import Beatmap, Circle, GameMode, Hold, Slider, Spinner, TimingPoint, write, write_osz
from osuT5.errors import InputError
from osuT5.render import render_map, theme
from osuT5.render.__main__ import main
from osuT5.render.canvas import MAX_PNG_BYTES, Raster
from osuT5.render.page import LAYOUTS, WIDTH
from osuT5.render.playfield import StandardPainter
from osuT5.render.spans import Span, map_span, panel_spans, ticks

BEAT = 400.0


def song(mode=GameMode.STD, objects=200):
    """Circles, sliders and a spinner on the beats of 150 BPM, with kiai in the middle and a break."""
    beatmap = Beatmap(timing_points=[TimingPoint(1000, BEAT), TimingPoint(31_000, -50, uninherited=False, effects=1)])
    beatmap.timing_points.append(TimingPoint(45_000, -100, uninherited=False))
    beatmap.title, beatmap.artist, beatmap.version = "Bell & <Drum>", "日本 Anna", "Hard"
    beatmap.mode, beatmap.cs, beatmap.ar, beatmap.od = mode, 4, 8, 7
    beatmap.events = ["2,60000,70000"]
    for n in range(objects):
        time, x, y = 1000 + n * BEAT, 60 + n * 97 % 400, 40 + n * 53 % 300
        if mode == GameMode.MANIA and n % 5 == 0:
            beatmap.hit_objects.append(Hold(x, 192, time, end=time + BEAT))
        elif n % 4 == 0 and mode != GameMode.MANIA:
            points = [(x + 60.0, y + 40.0), (x + 100.0, y)]
            beatmap.hit_objects.append(
                Slider(x, y, time, n % 8 == 0, curve="P", points=points, slides=1 + n % 3, length=70)
            )
        elif n == 50:
            beatmap.hit_objects.append(Spinner(256, 192, time, True, end=time + BEAT))
        else:
            beatmap.hit_objects.append(Circle(x, y, time, hitsound=(0, 2, 4, 12)[n % 4]))
    return beatmap


@dataclass
class Recorder:
    """A canvas that remembers what was drawn."""

    width: int = 0
    height: int = 0
    discs: list = field(default_factory=list)
    paths: list = field(default_factory=list)
    texts: list = field(default_factory=list)
    rects: list = field(default_factory=list)

    def rect(self, x, y, w, h, fill, radius=0):
        self.rects.append((x, y, w, h, fill))

    def disc(self, at, radius, fill, edge=None, width=1):
        self.discs.append((at, radius, fill))

    def path(self, points, width, colour):
        self.paths.append((list(points), width, colour))

    def polygon(self, points, fill):
        self.paths.append((list(points), 0, fill))

    def text(self, at, text, size, colour, align="lm"):
        self.texts.append(text)

    def clipped(self, x, y, w, h):
        import contextlib

        return contextlib.nullcontext()


@pytest.mark.parametrize("mode", list(GameMode))
def test_every_mode_makes_a_small_picture_with_colours_in_it(tmp_path, mode):
    path = render_map(song(mode), tmp_path / "map.png")
    assert path.stat().st_size <= MAX_PNG_BYTES
    picture = Image.open(path)
    assert picture.format == "PNG"
    assert picture.width == WIDTH
    assert len(picture.convert("RGB").getcolors(1 << 20)) > 16


@pytest.mark.parametrize("mode", list(GameMode))
def test_every_mode_makes_a_readable_svg(tmp_path, mode):
    path = render_map(song(mode), tmp_path / "map.svg")
    root = ElementTree.fromstring(path.read_bytes())
    texts = [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
    assert any("Bell & <Drum>" in t for t in texts)
    assert "[Hard]" in texts


@pytest.mark.parametrize("mode", list(GameMode))
def test_a_map_with_nothing_in_it_is_drawn(tmp_path, mode):
    beatmap = Beatmap()
    beatmap.mode = mode
    assert render_map(beatmap, tmp_path / "map.svg").is_file()


def test_odd_tempi_and_ends_are_drawn(tmp_path):
    beatmap = song(objects=40)
    beatmap.timing_points = [TimingPoint(0, 0), TimingPoint(2000, 1e-3), TimingPoint(3000, 1e9), TimingPoint(-5e6, 300)]
    beatmap.hit_objects.append(Circle(10**5, -(10**5), 9000))
    beatmap.cs, beatmap.ar = -20, 99
    assert render_map(beatmap, tmp_path / "map.svg").is_file()


def test_every_object_of_a_panel_is_drawn_where_it_is():
    beatmap = song(objects=60)
    painter, canvas = StandardPainter(beatmap, beatmap.timing), Recorder()
    span = Span(1000, 1000 + 8 * BEAT)
    painter.paint(canvas, 0.0, 0.0, 616.0, span, "label")  # 616 px wide: one px of the picture is one osu! px
    shown = [o for o in beatmap.hit_objects if span.start <= o.time < span.end]
    assert len(shown) == 8
    for item in shown:
        at = (item.x + 52.0, item.y + 46.0 + 20)
        assert any(d[0] == pytest.approx(at) and d[1] == pytest.approx(painter.radius) for d in canvas.discs)
    bodies = [p for p in canvas.paths if p[1] == pytest.approx(2 * painter.radius)]
    assert len(bodies) == sum(isinstance(o, Slider) for o in shown)
    end = painter.paths[id(shown[0])].end
    assert any(points[-1] == pytest.approx((end[0] + 52, end[1] + 66)) for points, _, _ in bodies)


def test_combo_numbers_start_anew_and_stacks_are_spread():
    beatmap = Beatmap(timing_points=[TimingPoint(0, BEAT)])
    beatmap.hit_objects = [
        Circle(100, 100, 0), Circle(200, 100, 400), Circle(300, 100, 800, new_combo=True), Circle(300, 100, 1000),
    ]  # fmt: skip
    painter = StandardPainter(beatmap, beatmap.timing)
    faces = [painter.faces[id(o)] for o in beatmap.hit_objects]
    assert [f.number for f in faces] == [1, 2, 1, 2]
    assert faces[0].colour == faces[1].colour != faces[2].colour
    assert [f.stack for f in faces] == [0, 0, 1, 0]


def test_taiko_shows_don_kat_and_big_notes():
    beatmap = song(GameMode.TAIKO, objects=40)
    layout, canvas = LAYOUTS[GameMode.TAIKO], Recorder()
    layout.painter(beatmap, beatmap.timing).paint(canvas, 0, 0, 1000, Span(1000, 1000 + 8 * BEAT), "")
    radius = {theme.DON: set(), theme.KAT: set()}
    for _, size, fill in canvas.discs:
        if fill in radius:
            radius[fill].add(size)
    assert all(radius.values())
    assert len(radius[theme.KAT]) == 2  # plain and big


def test_mania_holds_are_as_long_as_they_last():
    beatmap = Beatmap(timing_points=[TimingPoint(0, BEAT)])
    beatmap.mode, beatmap.cs = GameMode.MANIA, 4
    beatmap.hit_objects = [Hold(64, 192, 400, end=1200), Circle(448, 192, 400)]
    painter, canvas = LAYOUTS[GameMode.MANIA].painter(beatmap, beatmap.timing), Recorder()
    painter.paint(canvas, 0, 0, 200, Span(0, 1600), "")
    tall = [r for r in canvas.rects if r[3] > 20 and r[3] < 0.9 * painter.HEIGHT]
    assert len(tall) == 1
    assert tall[0][3] == pytest.approx((painter.HEIGHT - 30) / 2)
    assert tall[0][0] < 50


def test_without_a_range_panels_are_spread_over_the_map_and_begin_with_measures():
    beatmap = song()
    timing = beatmap.timing
    spans = panel_spans(timing, map_span(beatmap, timing), 8, 2, None, None, 24)
    assert len(spans) == 8
    assert spans[0].start == 1000
    assert spans[-1].end > beatmap.hit_objects[-1].time - 2 * 4 * BEAT
    for span in spans:
        assert (span.start - 1000) % (4 * BEAT) == 0
        assert span.length == 8 * BEAT
    assert all(a.end <= b.start for a, b in zip(spans, spans[1:], strict=False))


def test_with_a_range_panels_follow_each_other_and_cover_it():
    timing = song().timing
    spans = panel_spans(timing, Span(0, 90_000), 8, 2, 12_000, 25_000, 24)
    assert spans[0].start <= 12_000 < spans[0].end
    assert spans[-1].start < 25_000 <= spans[-1].end
    assert all(a.end == b.start for a, b in zip(spans, spans[1:], strict=False))


def test_the_beat_grid_follows_red_lines():
    timing = Beatmap(timing_points=[TimingPoint(0, 400), TimingPoint(1600, 600, 3)]).timing
    found = ticks(timing, Span(0, 3400))
    assert [t.time for t in found if t.rank == 2] == [0, 1600]
    assert [t.time for t in found if t.rank == 1] == [400, 800, 1200, 2200, 2800]
    assert len(found) == 16 + 12


def test_a_noisy_picture_is_made_to_fit():
    canvas = Raster(900, 700, (0, 0, 0))
    canvas.image = Image.effect_noise(canvas.image.size, 120).convert("RGB")
    data = canvas.encode()
    assert len(data) <= MAX_PNG_BYTES
    assert Image.open(io.BytesIO(data)).width < 900


def test_a_wrong_suffix_or_an_empty_range_is_told(tmp_path):
    with pytest.raises(InputError, match="png"):
        render_map(song(), tmp_path / "map.gif")
    with pytest.raises(InputError, match="end"):
        render_map(song(), tmp_path / "map.png", 5000, 4000)
    with pytest.raises(InputError, match="start"):
        render_map(song(), tmp_path / "map.png", float("nan"))
    assert list(tmp_path.iterdir()) == []


def test_the_command_draws_every_map_of_an_archive(tmp_path, capsys):
    hard, easy = song(), song(objects=50)
    easy.version = "Easy"
    write_osz(tmp_path / "set.osz", [hard, easy])
    (tmp_path / "pictures").mkdir()
    assert main([str(tmp_path / "set.osz"), f"out={tmp_path / 'pictures'}", "start=2000", "end=9000"]) == 0
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 2
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_the_command_never_overwrites_what_it_was_not_told_to(tmp_path):
    write(song(objects=20), tmp_path / "map.osu")
    (tmp_path / "map.png").write_bytes(b"the map's background")
    assert main([str(tmp_path / "map.osu")]) == 0
    assert (tmp_path / "map.png").read_bytes() == b"the map's background"
    assert (tmp_path / "map (2).png").is_file()


def test_the_command_names_what_is_wrong(tmp_path, capsys):
    assert main([str(tmp_path / "none.osu"), "start=soon"]) == 2
    told = capsys.readouterr().err
    assert "none.osu" in told and "start" in told
    write(song(objects=20), tmp_path / "a.osu")
    write(song(objects=20), tmp_path / "b.osu")
    assert main([str(tmp_path / "a.osu"), str(tmp_path / "b.osu"), f"out={tmp_path / 'one.png'}"]) == 2
    assert "folder" in capsys.readouterr().err
