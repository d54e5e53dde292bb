"""Says who is in each picture: finds figures, groups them over a series and gives them names.

features    what is measured of a picture: features per cell of a grid, and its colours
figures     which parts of a picture are figures, learned anew from each film
identity    which figures of a series are the same character
names       what they are called, from who speaks while who is seen
look_alikes   who is told apart by who speaks only
views       in which pictures each is seen best
characters_file, corrections    what a user says of them, in `characters/<series>.yaml`
stages      the stages `figures` and `cast`

Nothing here knows a character, a kind of animal or a style of drawing: all is learned from the film
itself, so the same code serves a drawn fox and a rendered rabbit.
"""
