import numpy as np
import pandas as pd
import pytest
from helpers.results import single_spaced
from semopy.examples import holzinger39

from cultural_sp.reporting.factor_tables import markdown
from cultural_sp.stats.factor.analysis import analyse
from cultural_sp.stats.factor.answers import MeasurementModel, check_answers, complete_answers
from cultural_sp.stats.factor.confirmatory import confirm
from cultural_sp.stats.factor.exploratory import explore
from cultural_sp.stats.factor.invariance import invariance

THREE = MeasurementModel(
    {
        "visual": {"x1": 1, "x2": 1, "x3": 1},
        "textual": {"x4": 1, "x5": 1, "x6": 1},
        "speed": {"x7": 1, "x8": 1, "x9": 1},
    }
)


@pytest.fixture(scope="module")
def holzinger():
    return holzinger39.get_data()


@pytest.fixture(scope="module")
def fit(holzinger):
    return confirm(holzinger, THREE)


def test_holzinger_swineford_fits_as_published(fit):
    # lavaan's CFA tutorial: the fit measures and standardised solution that it prints
    found = fit.indices
    assert found.chi2 == pytest.approx(85.306, abs=5e-4)
    assert found.df == 24
    assert found.cfi == pytest.approx(0.931, abs=5e-4)
    assert found.tli == pytest.approx(0.896, abs=5e-4)
    assert found.rmsea == pytest.approx(0.092, abs=5e-4)
    assert found.rmsea_interval == pytest.approx((0.071, 0.114), abs=5e-4)
    assert found.srmr == pytest.approx(0.065, abs=5e-4)
    assert fit.proper
    standardised = [x.standardised for x in fit.loadings]
    assert standardised == pytest.approx([0.772, 0.424, 0.581, 0.852, 0.855, 0.838, 0.570, 0.723, 0.665], abs=1e-3)
    estimates = [(x.estimate, x.estimate_error) for x in fit.loadings]
    assert estimates[0] == (1.0, None)
    assert estimates[1] == pytest.approx((0.554, 0.100), abs=1e-3)
    assert estimates[8] == pytest.approx((1.082, 0.151), abs=1e-3)
    # standardizedSolution() of the same fit
    errors = [x.standardised_error for x in fit.loadings]
    assert errors == pytest.approx([0.055, 0.060, 0.055, 0.023, 0.022, 0.023, 0.053, 0.051, 0.051], abs=1e-3)
    assert fit.correlations["visual"]["textual"] == pytest.approx(0.459, abs=1e-3)


def test_reliability_of_holzinger_swineford(fit):
    # semTools: alpha .626 .883 .688, omega .625 .885 .688
    assert list(fit.alphas.values()) == pytest.approx([0.626, 0.883, 0.688], abs=1e-3)
    assert list(fit.omegas.values()) == pytest.approx([0.625, 0.885, 0.688], abs=1e-3)


def test_one_general_factor_fits_badly(holzinger):
    one = MeasurementModel({"g": {f"x{i}": 1 for i in range(1, 10)}})
    found = confirm(holzinger, one).indices
    assert (found.chi2, found.df) == (pytest.approx(312.264, abs=5e-4), 27)
    assert found.cfi == pytest.approx(0.677, abs=5e-4)


def test_schools_configurally(holzinger):
    found = invariance(dict(iter(holzinger.groupby("school"))), THREE)
    assert (found.chi2, found.df) == (pytest.approx(115.851, abs=5e-4), 48)
    assert min(found.congruence.values()) > 0.95


def test_exploration_of_holzinger_swineford(holzinger):
    found = explore(holzinger[list(THREE.items)])
    # R's psych: KMO 0.75, cortest.bartlett 904.0971 with 36 degrees of freedom, fa.parallel three factors
    assert found.kmo == pytest.approx(0.752, abs=1e-3)
    assert (found.bartlett_chi2, found.bartlett_df) == (pytest.approx(904.0971, abs=1e-3), 36)
    assert found.suggested_factors == 3


def test_noise_suggests_no_factor():
    noise = pd.DataFrame(np.random.default_rng(0).standard_normal((400, 8)), columns=list("abcdefgh"))
    found = explore(noise)
    assert found.suggested_factors == 0
    assert found.bartlett_p > 0.05


def simulated(rng, n_respondents=600):
    """Two correlated factors; loadings against the first item's of each factor are 0.8, -0.6 and 1.2, 0.5."""
    factors = rng.multivariate_normal([0, 0], [[1.0, 0.4], [0.4, 0.8]], n_respondents)
    loadings = np.array([[1, 0], [0.8, 0], [-0.6, 0], [0, 1], [0, 1.2], [0, 0.5]])
    values = factors @ loadings.T + rng.normal(0, 0.7, (n_respondents, 6)) + 3
    return pd.DataFrame(values, columns=list("abcdef"))


TWO = MeasurementModel({"one": {"a": 35, "b": 35, "c": -35}, "two": {"d": 25, "e": 25, "f": 25}})


def test_known_loadings_are_found_without_bias():
    fits = [confirm(simulated(np.random.default_rng(seed)), TWO) for seed in range(20)]
    truth = {"b": 0.8, "c": -0.6, "e": 1.2, "f": 0.5}
    for item, value in truth.items():
        found = [next(x for x in f.loadings if x.item == item) for f in fits]
        estimates = np.array([x.estimate for x in found])
        assert abs(estimates.mean() - value) < 3 * estimates.std(ddof=1) / np.sqrt(len(estimates))
        # the reported standard errors are those with which estimates scatter
        assert np.mean([x.estimate_error for x in found]) == pytest.approx(estimates.std(ddof=1), rel=0.35)
    assert np.mean([f.indices.chi2 for f in fits]) == pytest.approx(8, abs=3 * np.sqrt(16 / 20))


def test_loadings_carry_their_declared_signs():
    answers = simulated(np.random.default_rng(1))
    turned = confirm(answers, MeasurementModel({"one": {"c": 1, "a": -1, "b": -1}, "two": TWO.signs["two"]}))
    assert {x.item: np.sign(x.standardised) == x.declared for x in turned.loadings} == dict.fromkeys("cabdef", True)
    wrong = confirm(answers, MeasurementModel({"one": {"a": 1, "b": 1, "c": 1}, "two": TWO.signs["two"]}))
    assert next(x for x in wrong.loadings if x.item == "c").standardised < 0
    assert wrong.alphas["one"] < confirm(answers, TWO).alphas["one"]


def test_the_order_of_factors_and_items_does_not_matter(holzinger, fit):
    other = MeasurementModel(
        {"speed": {"x9": 1, "x7": 1, "x8": 1}, "visual": THREE.signs["visual"], "textual": THREE.signs["textual"]}
    )
    again = confirm(holzinger, other)
    assert again.indices.chi2 == pytest.approx(fit.indices.chi2, abs=1e-3)
    by_item = {x.item: x.standardised for x in again.loadings}
    assert by_item == pytest.approx({x.item: x.standardised for x in fit.loadings}, abs=1e-3)
    assert again.correlations["visual"]["speed"] == pytest.approx(fit.correlations["visual"]["speed"], abs=1e-3)


def test_a_heywood_case_is_said_in_words():
    rng = np.random.default_rng(3)
    shared = rng.standard_normal(60)
    values = {"a": shared + 0.01 * rng.standard_normal(60), "b": 0.6 * shared + rng.standard_normal(60)}
    values |= {"c": 0.5 * shared + rng.standard_normal(60)}
    values["b"] -= 0.9 * (values["c"] - 0.5 * shared)  # b and c correlate less than their loadings on a would have it
    found = confirm(pd.DataFrame(values), MeasurementModel({"one": {"a": 1, "b": 1, "c": 1}}))
    assert any("Heywood case" in problem for problem in found.problems)
    assert not found.proper


def test_a_model_without_degrees_of_freedom_has_no_fit_indices():
    answers = simulated(np.random.default_rng(4))
    found = confirm(answers, MeasurementModel({"one": {"a": 1, "b": 1, "c": -1}})).indices
    assert found.df == 0
    assert (found.p, found.cfi, found.tli, found.rmsea, found.rmsea_interval) == (None,) * 5


def refused(answers, message, model=TWO):
    with pytest.raises(ValueError, match=r"^[^\n]+$") as error:
        confirm(answers, model, "the answers of the plain model")
    assert message in str(error.value)


def test_answers_that_cannot_be_analysed_are_refused_in_one_line():
    answers = simulated(np.random.default_rng(5), 50)
    where = "the answers of the plain model: "
    refused(answers.assign(b=3.0), where + "everybody gives the same answer to b;")
    refused(
        answers.assign(b=answers["a"]), where + "the covariance matrix is singular, since of the items a, b one follows"
    )
    refused(answers.assign(f=answers[["d", "e"]].sum(axis=1)), "of the items d, e, f one follows")
    refused(answers.head(6), where + "6 respondents for 6 items;")
    refused(answers.drop(index=3).reindex(range(50)), where + "6 answers are missing")
    refused(answers, "dimension two has a single item", MeasurementModel({"one": TWO.signs["one"], "two": {"d": 1}}))
    refused(answers, "one dimension with 2 items is not identified", MeasurementModel({"one": {"a": 1, "b": 1}}))
    with pytest.raises(ValueError, match="everybody gives the same answer"):
        explore(answers.assign(b=3.0))
    with pytest.raises(ValueError, match="give at least two"):
        invariance({"a": answers}, TWO)


def test_missing_answers_are_left_out_and_counted():
    answers = simulated(np.random.default_rng(6), 50)
    answers.loc[[1, 4, 7], "b"] = np.nan
    answers.loc[4, "c"] = np.inf
    complete, notes = complete_answers(answers, TWO.items)
    assert len(complete) == 47
    assert notes == [
        "3 of 50 respondents have missing answers and are left out (most often missing: b (3), c (1))",
    ]
    check_answers(complete)
    assert complete_answers(complete, TWO.items)[1] == []


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (pd.DataFrame({"a": [1, 2]}), "no column for item b"),
        (pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), "answers must be numbers"),
        (
            pd.DataFrame({"a": [1, 2], "b": [np.nan, np.nan]}),
            "no respondent answered every item; nobody or too few answered b",
        ),
    ],
)
def test_files_that_are_no_answers_are_refused(answers, message):
    with pytest.raises(ValueError, match=r"^[^\n]+$") as error:
        complete_answers(answers, ["a", "b"])
    assert message in str(error.value)


def test_the_scale_of_answers_does_not_matter(fit, holzinger):
    # mean answers of simulated respondents differ by hundredths, where semopy's starting values make it diverge
    scale = np.array([0.01, 1, 100, 0.002, 0.01, 0.01, 3, 0.05, 1])
    other = confirm(holzinger[list(THREE.items)] * scale, THREE)
    assert other.indices.chi2 == pytest.approx(fit.indices.chi2, abs=1e-3)
    assert [x.standardised for x in other.loadings] == pytest.approx([x.standardised for x in fit.loadings], abs=1e-3)
    of_first = scale[[0, 0, 0, 3, 3, 3, 6, 6, 6]]
    expected = [x.estimate * s / f for x, s, f in zip(fit.loadings, scale, of_first, strict=True)]
    assert [x.estimate for x in other.loadings] == pytest.approx(expected, rel=1e-3)
    errors = [(x.estimate_error or 0) * s / f for x, s, f in zip(fit.loadings, scale, of_first, strict=True)]
    assert [x.estimate_error or 0 for x in other.loadings] == pytest.approx(errors, rel=1e-2)
    assert list(other.residuals.values()) == pytest.approx(np.array(list(fit.residuals.values())) * scale**2, rel=1e-2)
    assert other.proper


def test_answers_that_cannot_be_fitted_are_still_explored(holzinger, monkeypatch):
    def fail(*_):
        raise ValueError("group: the measurement model can't be fitted (made up)")

    monkeypatch.setattr("cultural_sp.stats.factor.analysis.confirm", fail)
    found = analyse("group", holzinger, THREE)
    text = single_spaced(markdown("title", [found], None))
    assert "- not fitted: group: the measurement model can't be fitted (made up)" in text
    assert "| KMO | 0.752 |" in text
    assert "| CFI | - |" in text
