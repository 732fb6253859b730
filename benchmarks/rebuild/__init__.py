"""Does an edit rebuild what it must, and nothing else? 200 single edits, asked of Snakemake and of DVC.

flow        the stages, their inputs and outputs, written by hand: what the rules should say
standin     what runs in place of a stage: a digest of all that it is made of
oracle      what an edit should run, and the bytes that should come of it: a plain loop over `flow`
settings    edits of params.yaml, and who reads which key
code        edits of modules and scripts, and whose results they reach
others      edits of data, libraries, profiles, files and rules
places      folders with a built state, and both tools in them
trial       one edit, done and judged

Only the running of stages is a stand-in. Rules, recipe, scripts and modules are the project's own, and both tools are
the real ones. The tables were written by reading rules and scripts, and never ask `amt.build`.
"""
