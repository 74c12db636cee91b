"""Drift: what is new among new papers, and what moved."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perovshell.training.promotion.drift import FALSE_DISCOVERIES, _corrected, drift


def papers_with(dataset, wanted):
    return {s.paper_id for s in dataset.samples.values() if wanted(s)}


def test_bismuth_is_new_where_only_new_papers_have_it(dataset, featurizer):
    new = papers_with(dataset, lambda s: s.core is not None and "Bi" in dict(s.core.amounts))
    found = drift(dataset, featurizer, new)
    assert "ion Bi" in found.novel
    assert found.papers == len(new)


def test_a_shell_and_a_stressor_are_new(dataset, featurizer):
    found = drift(dataset, featurizer, {t.sample.paper_id for t in dataset.tests
                                        if t.stressor == "sonication"})  # fmt: skip
    assert "stressor sonication" in found.novel


def test_iodides_move_the_halide_and_the_peak(dataset, featurizer):
    new = papers_with(
        dataset, lambda s: s.core is not None and s.core.site_fractions("X").get("I", 0) > 0.9
    )
    moved = {one.name: one for one in drift(dataset, featurizer, new).moved}
    assert moved["I fraction on X"].new > 0.5 > moved["I fraction on X"].known
    assert moved["pl_peak_nm"].new > 580 > moved["pl_peak_nm"].known


def test_a_collection_counts_as_one_paper(dataset, featurizer):
    collection = {name for name in dataset.papers if dataset.in_collection(name)}
    assert drift(dataset, featurizer, collection).tested == 0


def test_a_random_half_hardly_ever_moves(dataset, featurizer):
    names = np.array(sorted(dataset.papers))
    count = 0
    for seed in range(8):
        new = set(np.random.default_rng(seed).choice(names, 60, replace=False).tolist())
        count += bool(drift(dataset, featurizer, new).moved)
    # Were nothing ever different, one in ten would find something.
    assert count <= 3


def test_too_few_papers_say_nothing(dataset, featurizer):
    found = drift(dataset, featurizer, {"hu2018"})
    assert (found.tested, found.moved) == (0, ())
    assert "too few new papers to tell" in " ".join(found.lines())


def test_the_log_of_the_service_is_counted(dataset, featurizer, tmp_path):
    log = tmp_path / "requests.jsonl"
    lines = [{"rows": 10, "outside_domain": 3}, {"rows": 2, "outside_domain": 0}]
    log.write_text("\n".join([*map(json.dumps, lines), '{"rows": 5, "outs']))
    older = tmp_path / "requests.old.jsonl"
    older.write_text('{"rows": 8, "outside_domain": 2}\n')
    found = drift(dataset, featurizer, set(), [log, older])
    assert (found.requests.rows, found.requests.outside, found.requests.unreadable) == (20, 5, 1)
    assert str(found.requests).startswith("20 rows asked of the service, 25% outside the domain")
    assert drift(dataset, featurizer, set(), [tmp_path / "none"]).requests is None


def test_false_discoveries_are_corrected_by_hand():
    # Benjamini and Hochberg by hand: 0.01 * 4 / 1, 0.02 * 4 / 2, 0.04 * 4 / 3, 0.5 * 4 / 4.
    adjusted = _corrected(np.array([0.5, 0.02, 0.01, 0.04]))
    assert adjusted == pytest.approx([0.5, 0.04, 0.04, 0.16 / 3])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_a_corrected_probability_is_never_smaller(chances):
    raw = np.array(chances)
    adjusted = _corrected(raw)
    assert (adjusted >= raw - 1e-12).all()
    assert (adjusted <= 1).all()
    assert (np.argsort(adjusted, kind="stable") >= 0).all()
    assert FALSE_DISCOVERIES < 1
