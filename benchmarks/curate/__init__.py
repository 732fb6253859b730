"""Curation on planted corpora: what is found, what is merged wrongly, how fast, beside other tools on the same rows.

real            problems of public datasets, from files that lie beside the project
templates       sentences and what fills their slots
generated       problems put together from them, any one by its number
edits           copies, edits and variants of a problem
planted         a corpus of all three in Parquet shards, and the truth about it
items           questions of evaluation sets
score           who was merged with whom, held against that truth
ours, peers     what is measured, each in processes of its own
measure         seconds and memory of such a process tree
decontaminate   recall and false positives of decontamination on real problems
scale           the same stages from 0.1 to 10 million rows

`make bench-curate` and `make bench-scale` run it; the peers live in an environment of their own
(`python -m benchmarks.curate.peers`).
"""
