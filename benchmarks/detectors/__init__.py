"""How well the detectors of curation find what people find: rows of real data, labelled by hand."""
