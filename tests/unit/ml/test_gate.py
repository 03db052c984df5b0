import re

import pytest

from ml.evaluate.src.gate import Registered, decide

MEASURED = "measured on the same hold-out"


@pytest.mark.parametrize(
    ("roc_auc", "registered", "deploy", "reason"),
    [
        (0.70, None, True, "no model is registered yet"),
        (0.65, None, True, "reaches the threshold 0.6500"),
        (0.6499, None, False, "below the threshold 0.6500"),
        (0.64, 0.50, False, "below the threshold 0.6500"),
        (0.70, 0.69, True, "version 3 has 0.6900 .measured on the same hold-out.: the gain .0.0100 is at least"),
        (0.70, 0.70, False, "version 3 has 0.7000 .*: the gain .0.0000 is less than the required 0.0010"),
        (0.70, 0.80, False, "the gain -0.1000 is less than the required 0.0010"),
    ],
)
def test_candidate_must_reach_the_threshold_and_beat_the_registered_model(
    roc_auc: float, registered: float | None, deploy: bool, reason: str
) -> None:
    current = None if registered is None else Registered("3", registered, MEASURED)
    decision = decide(roc_auc, threshold=0.65, registered=current, min_improvement=0.001)
    assert decision.deploy is deploy
    assert re.search(reason, decision.reason)


def test_registered_model_without_a_score_does_not_block_promotion_for_good() -> None:
    decision = decide(0.7, threshold=0.65, registered=Registered("3", None, "it is broken"), min_improvement=0.001)
    assert decision.deploy
    assert "version 3 cannot be compared: it is broken" in decision.reason


def test_negative_improvement_allows_a_slightly_worse_model() -> None:
    assert decide(0.70, 0.65, Registered("1", 0.705, MEASURED), min_improvement=-0.01).deploy
