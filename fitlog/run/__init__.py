"""Trainings: the MXNet shim, the measured fit, the workload and the record of a run."""
