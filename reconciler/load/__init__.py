"""From a folder of YAML files to the desired set: `reconciler.load.desired.load`. Changes nothing on the host."""
