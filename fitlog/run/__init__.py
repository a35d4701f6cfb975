"""Trainings, fitlog's and others': the MXNet shim, the measured fit, options, data, the record."""
