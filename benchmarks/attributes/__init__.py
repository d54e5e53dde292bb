"""Attribute accuracy: whether pictures show the right character, place, action and number of
characters.

labels      ground-truth labels of keyframes, from the sample classifier  a small network that
predicts the attributes of a picture accuracy    which of its answers are correct, and the majority
baseline tables      accuracy of each generator's pictures
"""
