"""The demo's company."""

from exporter.demo.activity import Clock
from exporter.demo.world import World

CLIENT_ID = "d3a0c11e-0000-4000-8000-000000000001"
SECRET = "SECRET-d3a0-0000-4000-8000-000000000002"  # noqa: S105  the demo's own, good for nothing else
EXPECTED_AGENTS: dict[str, tuple[str, ...]] = {
    "production": ("importer", "validator", "exporter"),
    "staging": ("importer", "validator"),
}
APP = "us_app_Pt6wY2nd"
DAY = 86400.0


def demo_world(clock: Clock, seed: int = 1) -> World:
    """A company with four environments, about forty spaces, a dozen users and sixty guests."""
    world = World(clock, seed, name="Northwind Onboarding")
    rng, now = world.rng, clock()
    for person in ("Ada", "Bo", "Cleo", "Dan", "Eve", "Finn", "Gil", "Hana", "Ida", "Jon", "Kim", "Lou"):
        at = now - rng.uniform(100, 900) * DAY
        world.add_user(person, at=at, seen=now - rng.expovariate(1 / (4 * DAY)))
    next(iter(world.users.values())).last_seen_at = None
    kinds = (
        ("production", True, ("importer", "validator", "exporter"), 18),
        ("staging", False, ("importer", "validator"), 10),
        ("development", False, ("importer", "validator"), 8),
        ("development", False, ('sandbox "🧪"',), 5),
    )
    for name, is_prod, agents, spaces in kinds:
        environment = world.add_environment(name, is_prod=is_prod, announce=False)
        for slug in agents:
            topics = AGENT_TOPICS.get(slug, ("commit:created", "job:ready"))
            at = now - rng.uniform(20, 200) * DAY
            made = world.deploy_agent(environment.id, slug, topics, at=at, announce=False, namespace="nightly")
            made.updated_at = now - rng.uniform(1, 20) * DAY
        at = now - 300 * DAY
        world.deploy_agent(environment.id, None, ("job:ready",), is_system=True, at=at, announce=False)
        _fill(world, environment.id, spaces, now)
    return world


AGENT_TOPICS: dict[str, tuple[str, ...]] = {
    "importer": ("file:created", "job:ready"),
    "validator": ("commit:created", "records:created"),
    "exporter": ("job:ready", "cron:5-minutes"),
}
CUSTOMERS = (
    "Nord & Söhne", "Acme \"East\"", "Blue Lantern", "Café Müller", "Delta\\Gamma", "Ever Green 🌲", "Fjord Line",
    "Granit", "Helios", "Ivory", "Jade", "Kestrel", "Lumen", "Meridian", "Nimbus", "Orbit", "Pinnacle", "Quartz",
)  # fmt: skip


def _fill(world: World, environment_id: str, spaces: int, now: float) -> None:
    """Spaces of all ages and states, with guests, some of them in several."""
    rng = world.rng
    for i in range(spaces):
        age = rng.uniform(2, 400) * DAY
        name = f"{CUSTOMERS[i % len(CUSTOMERS)]} {2024 + i % 3}"
        made = world.add_space(environment_id, name, at=now - age, namespace="nightly", app_id=APP, announce=False)
        made.workbooks, made.files = rng.randint(1, 4), rng.randint(0, 40)
        idle = min(age, rng.expovariate(1 / (25 * DAY)))
        made.updated_at = made.last_activity_at = now - idle
        if i % 9 == 7:
            world.archive_space(made.id, at=now - idle / 2, announce=False)
        if i % 9 == 8:
            world.expire_space(made.id, at=now - idle / 2, announce=False)
    live = [s.id for s in world.spaces_of[environment_id].values()]
    for i in range(spaces * 3 // 2):
        seen = now - rng.expovariate(1 / (6 * DAY)) if i % 7 else None
        at = now - rng.uniform(10, 300) * DAY
        guest = world.add_guest(rng.choice(live), f"Guest {i}", at=at, last_accessed=seen, announce=False)
        if i % 4 == 0:
            other = rng.choice(live)
            if other not in guest.spaces:
                world.admit_guest(guest.id, other, at=at, last_accessed=seen, announce=False)
