"""Tests of the engine server: the real program, over HTTP. Nothing of it is imported into the test process but its own text functions."""
