"""Searches without a model: functions of search vectors in the place of a survey."""

import numpy as np

from cultural_sp.search.loop import Evaluation


def of_batches(evaluate):
    """The evaluation of batches by a function of search vectors that doesn't see the wording."""
    return lambda batches: Evaluation.joined([evaluate(batch.z) for batch in batches])


def of_wordings(scores):
    """The evaluation of batches by a function of search vectors and the name of a wording."""

    def evaluate(batches):
        table = np.concatenate([scores(batch.z, batch.wording) for batch in batches])
        return Evaluation(table, table.copy(), np.full(len(table), 0.5))

    return evaluate
