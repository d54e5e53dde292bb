"""Where and when: the scenes of a film, and the places that a series comes back to.

reads        keyframes, as they were selected
colours      how the colours of a picture are spread: what a place in its light looks like
boundaries   where one scene ends and the next begins
decided      where people said that scenes begin
places       which scenes, of all episodes, are at the same place
stages       the stages `scenes` (of a film) and `places` (of a series)
"""
