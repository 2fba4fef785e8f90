"""What the star rating promises: the community's number, a faster map is harder, no number for what has none."""

from pathlib import Path

import pytest
import rosu_pp_py

from osuT5.beatmap import Beatmap, Circle, TimingPoint, read, stars

TESTS = Path(__file__).parents[1]
MAPS = [TESTS / "resources" / "beatmaps" / f"{mode}.osu" for mode in ("standard", "taiko", "catch")]
MAPS.append(TESTS / "golden" / "tokens" / "maps" / "mania4k.osu")


@pytest.mark.parametrize("path", MAPS, ids=lambda p: p.stem)
def test_stars_in_every_mode(path):
    expected = rosu_pp_py.Difficulty().calculate(rosu_pp_py.Beatmap(path=str(path))).stars
    assert stars(read(path)) == pytest.approx(expected, abs=1e-6) and expected > 0


def test_faster_is_harder():
    beatmap = Beatmap(timing_points=[TimingPoint(0, 500.0)])
    beatmap.hit_objects = [Circle(100 + 200 * (i % 2), 100, 500 * i) for i in range(60)]
    assert stars(beatmap, 1.5) > stars(beatmap) > stars(beatmap, 0.75)


def test_maps_without_a_rating():
    assert stars(Beatmap()) is None
    crowd = Beatmap(timing_points=[TimingPoint(0, 500.0)])
    crowd.hit_objects = [Circle(256, 192, 0) for _ in range(20000)]
    assert stars(crowd) is None  # suspicious
    with pytest.raises(ValueError, match="clock rate"):
        stars(crowd, 0)
