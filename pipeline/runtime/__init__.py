"""What every room stands on: storage, locks, isolation, progress."""
