"""The benchmarks: a command for every number in the documents."""
