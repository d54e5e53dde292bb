"""Names in texts."""

from benchmarks.metrics import panel_labels


def test_names_are_found_in_texts():
    texts = [
        "Then Ann met Bob.",
        "He saw Ann, and Bob ran.",
        "Ann met Bob",
        "The old bob, Ann.",
        "No, Ann said.",
    ]
    assert panel_labels.recurring_names(texts) == ["Ann"]  # bob is also a word
    assert panel_labels.first_name_in("Bob saw Ann.", ["Ann", "Bob"]) == "Bob"
    assert panel_labels.first_name_in("Annabel came.", ["Ann", "Bob"]) is None
