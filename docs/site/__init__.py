"""The documentation site: pages from the code, examples that are run, and checks of what was built."""
