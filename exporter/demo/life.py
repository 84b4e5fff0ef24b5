"""Makes a world live: work at the rhythm of a day, deployments, new spaces and guests, and an agent that goes missing."""

from exporter.demo.world import World


class Life:
    """Brings a world up to the present, step by step, the same way for the same seed."""

    def __init__(self, world: World) -> None:
        self.world = world

    def advance(self, now: float) -> None:
        """Let happen whatever happens until `now` (unix seconds)."""
