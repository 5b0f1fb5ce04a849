"""Chaos: everything that can fail fails while events flow; at the end every window and every dead letter must be correct."""
