"""What can happen to a cluster. Each fault has a subject, so that two never meet on one thing, and ends after a while."""
import heapq
import itertools
import time

PAUSE_BETWEEN = (0.2, 1.5)
LOOK_SECONDS = 0.05
AT_ONCE = 2  # So that in three replicas one is left alone, most of the time.
# clients.py counts on it: nothing holds a request for longer.
LONGEST_SECONDS = 6


class Fault:
    """`subject` names what it is done to. begin() does it, end() undoes it `seconds` later."""

    lasts = (0.5, LONGEST_SECONDS)
    weight = 1

    def __init__(self, cluster, random):
        self.cluster, self.random = cluster, random
        self.seconds = random.uniform(*self.lasts)

    @classmethod
    def possible(cls, cluster):
        return True

    def may_end(self):
        """What takes its time must not keep others from ending: it may be what they do that it waits for."""
        return True

    def end(self):
        pass


class ReplicaFault(Fault):
    def __init__(self, cluster, random):
        super().__init__(cluster, random)
        self.replica = random.choice(cluster.replicas)
        self.subject = ("process", self.replica.number)

    def __str__(self):
        return f"{self.name} {self.replica}"


class Kill(ReplicaFault):
    name, weight, lasts = "kill -9", 4, (0.0, 3.0)

    def begin(self):
        self.replica.kill()

    def end(self):
        self.replica.launch()


class Terminate(ReplicaFault):
    name, weight, lasts = "SIGTERM", 1, (0.5, 3.0)

    def begin(self):
        self.replica.terminate()

    def may_end(self):
        return self.replica.has_ended()

    def end(self):
        self.replica.wait_for_end()
        self.replica.launch()


class Pause(ReplicaFault):
    name, weight = "SIGSTOP", 4

    def begin(self):
        self.replica.pause()

    def end(self):
        self.replica.resume()


class ProxyFault(Fault):
    """On the way from one replica to the database or to the store."""

    def __init__(self, cluster, random):
        super().__init__(cluster, random)
        self.replica = random.choice(cluster.replicas)
        self.way = random.choice(sorted(self.replica.proxies))
        self.proxy = self.replica.proxies[self.way]
        self.subject = (self.way, self.replica.number)

    @classmethod
    def possible(cls, cluster):
        return bool(cluster.replicas[0].proxies)

    def __str__(self):
        return f"{self.name} between {self.replica} and the {self.way}"

    def end(self):
        self.proxy.heal()


class Cut(ProxyFault):
    name, weight, lasts = "cut", 3, (0.0, 0.1)

    def begin(self):
        self.proxy.cut()


class Refuse(ProxyFault):
    name, weight = "refused", 2

    def begin(self):
        self.proxy.refuse()
        self.proxy.cut()


class BlackHole(ProxyFault):
    name, weight = "black hole", 3

    def begin(self):
        self.proxy.black_hole()

    def end(self):
        # As of a network that comes back: what waited goes on, or its connections are gone.
        if self.random.random() < 0.5:
            self.proxy.cut()
        super().end()


class LostAnswers(ProxyFault):
    """What the replica asks for is done, and it never hears of it: a commit whose outcome it does not know."""

    name, weight, lasts = "answers lost", 3, (0.05, 2.0)

    def begin(self):
        self.proxy.drop_responses()

    def end(self):
        self.proxy.cut()
        super().end()


class CutInside(ProxyFault):
    """Within an answer, at whichever byte."""

    name, weight, lasts = "cut within an answer", 2, (0.5, 2.0)

    def begin(self):
        self.proxy.close_after_bytes(self.random.randint(1, 100_000))


class Slow(ProxyFault):
    name, weight = "slow", 1

    def begin(self):
        self.proxy.set_latency(self.random.uniform(0.005, 0.1))


class ServerFault(Fault):
    """Of the database or of the store itself: all replicas feel it."""

    def __init__(self, cluster, random):
        super().__init__(cluster, random)
        self.what = random.choice(sorted(cluster.servers()))
        self.server = cluster.servers()[self.what]
        self.subject = (self.what,)

    @classmethod
    def possible(cls, cluster):
        return bool(cluster.servers())

    def __str__(self):
        return f"{self.name} of the {self.what}"


class Restart(ServerFault):
    name, weight, lasts = "restart", 0.7, (0.0, 1.5)

    def begin(self):
        self.server.stop()

    def end(self):
        self.server.start()


class Crash(Restart):
    name = "kill -9"

    def begin(self):
        self.server.kill()


class Freeze(ServerFault):
    name, weight, lasts = "SIGSTOP", 0.7, (0.2, 3.0)

    def begin(self):
        self.server.pause()

    def end(self):
        self.server.resume()


FAULTS = [Kill, Terminate, Pause, Cut, Refuse, BlackHole, LostAnswers, CutInside, Slow, Restart, Crash, Freeze]


class Faults:
    """Chooses by a seed; when exactly each begins differs from run to run. Used by one thread."""

    def __init__(self, cluster, random, world):
        self.cluster, self.random, self.world = cluster, random, world
        self.kinds = [kind for kind in FAULTS if kind.possible(cluster)]
        self.active, self.numbers = [], itertools.count()

    def run(self, seconds):
        deadline = time.monotonic() + seconds
        next_begin = time.monotonic()
        while time.monotonic() < deadline and not self.world.stop.is_set():
            self.end_due(time.monotonic())
            if time.monotonic() >= next_begin and len(self.active) < AT_ONCE:
                self.begin_one()
                next_begin = time.monotonic() + self.random.uniform(*PAUSE_BETWEEN)
            self.cluster.supervise()
            self.world.stop.wait(0.02)

    def begin_one(self):
        kind = self.random.choices(self.kinds, [kind.weight for kind in self.kinds])[0]
        fault = kind(self.cluster, self.random)
        if fault.subject in [other.subject for _, _, other in self.active]:
            return
        self.world.note("faults", f"{fault}, for {fault.seconds:.2f} s")
        self.world.count(f"fault: {fault.name}" + (f" of the {fault.what}" if isinstance(fault, ServerFault) else ""))
        fault.begin()
        heapq.heappush(self.active, (time.monotonic() + fault.seconds, next(self.numbers), fault))

    def end_due(self, now):
        while self.active and self.active[0][0] <= now:
            _, number, fault = heapq.heappop(self.active)
            if not fault.may_end():
                heapq.heappush(self.active, (now + LOOK_SECONDS, number, fault))
                continue
            fault.end()
            self.world.note("faults", f"{fault} is over")

    def end_all(self):
        self.end_due(float("inf"))
