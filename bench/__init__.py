"""The benchmark: each page beside a bare Flask page with the same 50-row table, on the same server in the same run."""
