"""The faults: which service is affected, how, and for how long. Each is undone before the next one starts."""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from chaos.flaky_proxy import FlakyProxy, Mood
from stack import Database, Engine, Kafka, Pipeline, Topics


@dataclass
class Scene:
    """All services that can be affected, and the faults so far."""

    kafka: Kafka
    topics: Topics
    engine: Engine
    database: Database
    proxy: FlakyProxy
    instances: list[Pipeline]
    rng: random.Random
    say: Callable[[str], None]
    done: Counter[str] = field(default_factory=Counter)
    kills: int = 0

    def wait(self, shortest: float, longest: float) -> float:
        """The duration of a fault: the only wait here without a condition."""
        seconds = self.rng.uniform(shortest, longest)
        time.sleep(seconds)
        return seconds


def kill_instance(scene: Scene) -> str:
    """kill -9 of an instance; sometimes it restarts immediately, sometimes after its session has ended."""
    number = scene.rng.randrange(len(scene.instances))
    instance = scene.instances[number]
    instance.kill()
    scene.kills += 1
    seconds = 0.0 if scene.rng.random() < 0.6 else scene.wait(0.2, 9)
    instance.start()
    return f"instance {number} killed, started again after {seconds:.1f} s"


def kill_all_instances(scene: Scene) -> str:
    """kill -9 of all instances at once."""
    for instance in scene.instances:
        instance.kill()
        scene.kills += 1
    seconds = scene.wait(0, 2)
    for instance in scene.instances:
        instance.start()
    return f"all instances killed, started again after {seconds:.1f} s"


def suspend_instance(scene: Scene) -> str:
    """SIGSTOP and SIGCONT: the old owner resumes with work in progress, possibly after others have taken over its partitions."""
    number = scene.rng.randrange(len(scene.instances))
    scene.instances[number].process.suspend()
    seconds = scene.wait(0.2, 9)
    scene.instances[number].process.resume()
    return f"instance {number} stopped for {seconds:.1f} s and continued"


def move_partitions(scene: Scene) -> str:
    """An instance leaves the group, the other one takes over, and it rejoins."""
    number = scene.rng.randrange(len(scene.instances))
    code = scene.instances[number].leave()
    if code != 0:
        raise AssertionError(f"instance {number} left with exit code {code}:\n{scene.instances[number].process.tail()}")
    seconds = scene.wait(0, 2)
    scene.instances[number].start()
    return f"instance {number} left the group, back after {seconds:.1f} s"


def kill_broker(scene: Scene) -> str:
    """kill -9 of one of the brokers; never a second one before the first has caught up, or acknowledged records could be lost."""
    number = scene.rng.randint(1, scene.kafka.brokers)
    scene.kafka.kill_broker(number)
    scene.kills += 1
    seconds = scene.wait(0.5, 5)
    scene.kafka.start_broker(number)
    catch_up(scene)
    return f"broker {number} killed, started again after {seconds:.1f} s"


def suspend_broker(scene: Scene) -> str:
    """SIGSTOP of a broker, sometimes long enough for the others to elect new leaders."""
    number = scene.rng.randint(1, scene.kafka.brokers)
    scene.kafka.suspend_broker(number)
    seconds = scene.wait(0.5, 12)
    scene.kafka.resume_broker(number)
    catch_up(scene)
    return f"broker {number} stopped for {seconds:.1f} s and continued"


def catch_up(scene: Scene) -> None:
    scene.kafka.wait_for_brokers(scene.kafka.brokers, 120)
    for topic in (scene.topics.impressions, scene.topics.clicks, scene.topics.dead_letters, "__consumer_offsets"):
        scene.kafka.wait_for_replicas(topic, 180)


def kill_engine(scene: Scene) -> str:
    """kill -9 of ClickHouse."""
    scene.engine.kill()
    scene.kills += 1
    seconds = scene.wait(0, 4)
    scene.engine.start()
    return f"ClickHouse killed, started again after {seconds:.1f} s"


def suspend_engine(scene: Scene) -> str:
    """SIGSTOP of ClickHouse: inserts hang without a response."""
    scene.engine.suspend()
    seconds = scene.wait(0.2, 6)
    scene.engine.resume()
    return f"ClickHouse stopped for {seconds:.1f} s and continued"


def spoil_inserts(scene: Scene) -> str:
    """The network and the server misbehave for a while."""
    scene.proxy.delay = scene.rng.uniform(0.5, 3)
    scene.proxy.mood = scene.rng.choice([mood for mood in Mood if mood is not Mood.PASS])
    said = scene.proxy.mood.value
    seconds = scene.wait(0.5, 4)
    scene.proxy.mood = Mood.PASS
    return f"inserts {said} for {seconds:.1f} s"


# Relative frequencies.
FAULTS: dict[Callable[[Scene], str], int] = {
    kill_instance: 8, kill_all_instances: 2, suspend_instance: 4, move_partitions: 3, kill_broker: 2, suspend_broker: 1, kill_engine: 3,
    suspend_engine: 2, spoil_inserts: 6,
}


def one_fault(scene: Scene) -> None:
    """Chooses a fault, injects it, and undoes it."""
    fault = scene.rng.choices(list(FAULTS), weights=list(FAULTS.values()))[0]
    said = fault(scene)
    scene.done[fault.__name__] += 1
    scene.say(said)
    for number, instance in enumerate(scene.instances):
        if not instance.process.runs():
            raise AssertionError(f"instance {number} ended by itself with {instance.process.wait(1)}:\n{instance.process.tail()}")
