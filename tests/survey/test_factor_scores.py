import numpy as np
import pytest
import yaml
from semopy import Model
from semopy.examples import holzinger39

from cultural_sp.survey.factor_scores import LoadingTable, score_weights
from cultural_sp.survey.instrument import DATA, load_survey

ITEMS = tuple(f"x{i}" for i in range(1, 7))
LOADINGS = np.array([[0.8, 0], [0.7, 0], [0.6, 0.2], [0, 0.7], [0, 0.8], [0, -0.5]])
CORRELATIONS = np.array([[1, 0.3], [0.3, 1]])
RESIDUALS = 1 - np.einsum("qk,kl,ql->q", LOADINGS, CORRELATIONS, LOADINGS)
TABLE = LoadingTable(LOADINGS, CORRELATIONS, RESIDUALS)


def simulated(n_respondents=200_000):
    rng = np.random.default_rng(0)
    factors = rng.multivariate_normal([0.5, -1.0], CORRELATIONS, n_respondents)
    return factors, factors @ LOADINGS.T + rng.standard_normal((n_respondents, 6)) * np.sqrt(RESIDUALS)


def test_bartlett_scores_put_a_group_where_it_stands():
    factors, answers = simulated()
    scores = answers @ score_weights(TABLE, "bartlett", ITEMS).T
    assert scores.mean(axis=0) == pytest.approx([0.5, -1.0], abs=0.02)
    slopes = np.polyfit(factors[:, 0], scores[:, 0], 1)
    assert slopes[0] == pytest.approx(1.0, abs=0.02)


def test_regression_scores_have_the_smallest_error_and_shrink():
    factors, answers = simulated()
    centred, truth = answers - answers.mean(axis=0), factors - factors.mean(axis=0)
    errors = {
        m: np.square(centred @ score_weights(TABLE, m, ITEMS).T - truth).mean() for m in ("bartlett", "regression")
    }
    least, *_ = np.linalg.lstsq(centred, truth, rcond=None)
    assert errors["regression"] < errors["bartlett"]
    assert score_weights(TABLE, "regression", ITEMS) == pytest.approx(least.T, abs=0.01)


def test_regression_scores_are_semopys():
    data = holzinger39.get_data()[[f"x{i}" for i in range(1, 10)]]
    model = Model("v =~ x1 + x2 + x3\nt =~ x4 + x5 + x6\ns =~ x7 + x8 + x9")
    model.fit(data)
    wanted = model.predict_factors(data)[["v", "t", "s"]].to_numpy()
    parts = model.inspect(std_est=True)
    loadings = np.zeros((9, 3))
    correlations = np.eye(3)
    for row in parts.itertuples(index=False):
        left, op, right, standardised = row[0], row[1], row[2], row[4]
        if op == "~":
            loadings[int(left[1:]) - 1, "vts".index(right)] = standardised
        elif left in "vts" and left != right:
            i, j = "vts".index(left), "vts".index(right)
            correlations[i, j] = correlations[j, i] = standardised
    residuals = 1 - np.einsum("qk,kl,ql->q", loadings, correlations, loadings)
    weights = score_weights(LoadingTable(loadings, correlations, residuals), "regression", list(data.columns))
    scores = ((data - data.mean()) / data.std(ddof=0)).to_numpy() @ weights.T
    for k in range(3):  # semopy's have the scale of the first item
        assert np.corrcoef(scores[:, k], wanted[:, k])[0, 1] == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(
    ("table", "method", "message"),
    [
        (TABLE, "anderson", "method 'anderson' is unknown; allowed: bartlett, regression"),
        (
            LoadingTable(LOADINGS, CORRELATIONS, RESIDUALS * [1, 0, 1, 1, 1, 1]),
            "bartlett",
            "no residual variance for x2 (Heywood",
        ),
        (LoadingTable(LOADINGS, np.ones((2, 2)), RESIDUALS), "bartlett", "impossible together"),
        (LoadingTable(LOADINGS[:, [0, 0]], CORRELATIONS, RESIDUALS), "bartlett", "don't tell the dimensions apart"),
    ],
)
def test_tables_that_are_none_are_refused(table, method, message):
    with pytest.raises(ValueError, match=r"^[^\n]+$") as error:
        score_weights(table, method, ITEMS)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "magic"}, "scoring kind 'magic' is unknown; allowed: index, components, factor"),
        ({"constant": 3}, "scoring factor has no entry constant"),
        ({"loadings": {"secular": {"F063": 0.5}}}, "loadings needs exactly the dimensions secular, selfexpression"),
        (
            {"loadings": {"secular": {"F063": 0.5}, "selfexpression": {"A999": 0.5}}},
            "loadings names undefined items: A999",
        ),
        ({"items": {"F063": {"mean": 1, "sd": 1}}}, "items needs mean and sd of every item; it lacks A008"),
        ({"correlations": {"secular": {"other": 0.1}}}, "correlations of secular and other"),
        ({"slope": {"secular": float("inf")}}, "slope of secular: '.inf' is no plain number; write a finite one"),
        ({"loadings": 3}, "incomplete or misshapen survey"),
    ],
)
def test_bad_scoring_is_refused_in_one_line(tmp_path, change, message):
    raw = yaml.safe_load((DATA / "inglehart_welzel_factor.yaml").read_text())
    raw["scoring"] |= change
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump(raw))
    with pytest.raises(ValueError, match=r"^bad\.yaml: [^\n]+$") as error:
        load_survey(str(path))
    assert message in str(error.value)
