"""Trainings: the MXNet shim, the measured fit; options, networks, data and the record of a run."""
