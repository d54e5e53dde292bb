"""What models say of keyframes, and how that is held to account."""
