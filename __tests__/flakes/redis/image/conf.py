"""Writes the description of the image: the settings from flake.nix and the closure, one layer a store path."""
import glob
import graphlib
import json
import os


def read_graph(path):
    """Nix writes of each store path: itself, its deriver, the number of its references and these."""
    with open(path) as file:
        lines = iter(file.read().splitlines())
    for store_path in lines:
        next(lines)
        yield store_path, {next(lines) for _ in range(int(next(lines)))}


references = {}
for graph in glob.glob("graph-*"):
    references.update(read_graph(graph))
closure = {path: sorted(references[path] - {path}) for path in sorted(references)}

# What much depends on changes seldom and comes first.
conf = json.loads(os.environ["settings"])
conf["store_layers"] = [[path] for path in graphlib.TopologicalSorter(closure).static_order()]
with open(os.environ["out"], "w") as file:
    json.dump(conf, file, indent=4)
