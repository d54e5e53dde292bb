"""From a video to its keyframes: scan, shots, selection, decoding, near-duplicates, title cards."""
