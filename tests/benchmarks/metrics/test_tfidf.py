"""TF-IDF vectors and the most similar text."""

import numpy as np

from benchmarks.metrics import tfidf


def test_the_most_similar_text_shares_rare_words():
    known = ["the fox runs in the wood", "the bear sleeps in the wood", "the owl reads"]
    assert tfidf.most_similar(["The owl sits in the wood.", "A bear!", "nothing known"], known) == [
        2,
        1,
        0,
    ]


def test_vectors_of_texts_weigh_rare_words_and_pairs():
    vectors = tfidf.tfidf_vectors(["A fox.", "bear"], ["a fox", "a bear", "a"])
    common, two = 1.0, 1 + np.log(4 / 2)  # "a" is in all three, the others in one each
    # in the order of terms: a, a bear, a fox, bear, fox
    expected = np.array([[common, 0, two, 0, two], [0, 0, 0, two, 0]])
    np.testing.assert_allclose(
        vectors, expected / np.linalg.norm(expected, axis=1)[:, None], rtol=1e-6
    )
