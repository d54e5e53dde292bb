"""What is read of the sources: films found, manifests, videos, subtitles, speech."""
