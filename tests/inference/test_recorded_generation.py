"""What the embedded model writes for the bundled song stays what it was until somebody means to change it."""

import pytest
import recorded_generation as recorded

RECORD = recorded.load()

pytestmark = pytest.mark.skipif(
    RECORD["machine"] != recorded.machine(), reason=f"recorded on {RECORD['machine']}; sums differ elsewhere"
)


@pytest.fixture(scope="module")
def model():
    return recorded.open_embedded()


@pytest.mark.parametrize("mode", recorded.MODES)
def test_ids_of_every_window_are_the_recorded_ones(mode, model):
    assert recorded.ids_of_mode(mode, model) == RECORD["ids"][str(mode)]


def test_the_demo_map_has_the_recorded_bytes(model):
    assert recorded.demo_digest(model) == RECORD["demo"]
