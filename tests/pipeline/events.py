"""Events made by hand, where a test is about a certain record at a certain time."""

import json

# 2026-01-01T00:00:00Z: the beginning of a window.
T = 1_767_225_600_000
WINDOW = 10_000


def impression(product: str, ms: int) -> tuple[bytes, bytes]:
    """Key and value of an impression at an event time in epoch ms."""
    return _event("impression", product, ms)


def click(product: str, ms: int) -> tuple[bytes, bytes]:
    """Key and value of a click at an event time in epoch ms."""
    return _event("click", product, ms)


def _event(event_type: str, product: str, ms: int) -> tuple[bytes, bytes]:
    return product.encode(), json.dumps({"event_type": event_type, "product_id": product, "timestamp": ms}).encode()
