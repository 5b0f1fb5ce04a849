"""What the log says beside what the tables and the dead letter topic say."""

from stack import Database, Kafka, Topics, Truth, wait_until


def differences(truth: Truth, database: Database) -> dict[tuple[str, int], tuple[object, object]]:
    """(product, window start) -> (what must be counted, what was), where the two differ."""
    counted = database.windows()
    keys = truth.windows.keys() | counted.keys()
    return {key: (truth.windows.get(key), counted.get(key)) for key in keys if truth.windows.get(key) != counted.get(key)}


def letters_by_identity(kafka: Kafka, topics: Topics) -> dict[tuple[str, int, int, str], list[dict]]:
    """Dead letters by what identifies them: topic, partition, offset and code."""
    found: dict[tuple[str, int, int, str], list[dict]] = {}
    for letter in kafka.dead_letters(topics):
        identity = (letter["rawTopic"], letter["partition"], letter["offset"], letter["code"])
        found.setdefault(identity, []).append(letter)
    return found


def assert_exact(truth: Truth, database: Database, kafka: Kafka, topics: Topics, seconds: float = 60) -> None:
    """Every product, window and dead letter as the truth says: within the time, and exactly."""
    def as_the_log_says() -> bool:
        return not differences(truth, database)

    try:
        wait_until(as_the_log_says, seconds, "the tables are as the log says")
    except AssertionError:
        wrong = differences(truth, database)
        shown = "\n".join(f"  {key}: must be {must}, is {found}" for key, (must, found) in sorted(wrong.items())[:20])
        raise AssertionError(f"{len(wrong)} of {len(truth.windows)} windows differ:\n{shown}") from None
    assert_letters(truth, kafka, topics, seconds)


def assert_letters(truth: Truth, kafka: Kafka, topics: Topics, seconds: float) -> None:
    """Every dead letter as the truth says: within the time, and exactly; copies are alike."""
    wait_until(lambda: len(letters_by_identity(kafka, topics)) >= len(truth.dead_letters), seconds, "all dead letters are written")
    letters = letters_by_identity(kafka, topics)
    assert letters.keys() == truth.dead_letters
    for identity, copies in letters.items():
        first, *repeated = ({name: value for name, value in letter.items() if not name.startswith("createdAt")} for letter in copies)
        assert all(copy == first for copy in repeated), f"the copies of {identity} differ"
