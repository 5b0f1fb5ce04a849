"""The pipeline from outside, as its users see it: real brokers, a real engine, the released binaries."""
