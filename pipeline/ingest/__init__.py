"""What is read of the sources: films and manifests, videos, subtitles, speech."""
