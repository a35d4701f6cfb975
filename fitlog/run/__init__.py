"""Trainings, own and others': the MXNet shim, the measured fit, options, data, the record of a run."""
