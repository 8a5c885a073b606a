"""Data sets that others made, read as they are published.

A format is one file here, a `Reader`, and its line in `SOURCES`.
"""

# Name -> (module, class): a reader, and the libraries that it needs, are imported when it is asked for.
SOURCES = {
    "fno_mat": ("fno_mat", "FnoMat"),
    "pdebench": ("pdebench", "PDEBench"),
    "the_well": ("the_well", "TheWell"),
    "pdearena": ("pdearena", "PDEArena"),
    "apebench": ("apebench", "APEBench"),
    "neuraloperator": ("neuraloperator", "NeuralOperator"),
    "deep_flow": ("deep_flow", "DeepFlow"),
    "scalarflow": ("scalarflow", "ScalarFlow"),
    "own": ("own", "Own"),
}
