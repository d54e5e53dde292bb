"""What is written and read back: shards, tables, report, exports, verification."""
