"""Chaos: everything that can die dies while events flow, and in the end every window and every dead letter is right."""
