"""The verbs of the control plane, one file each."""
