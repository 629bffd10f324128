"""The parts of the measurement, each for itself."""
