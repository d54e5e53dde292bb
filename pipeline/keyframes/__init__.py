"""From a video to the frames chosen of it."""
