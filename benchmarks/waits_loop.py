"""What an event loop is held for, and by what: the gauge of the benchmarks of waits."""

from __future__ import annotations

import asyncio
import gc
import time

TICK = 0.002


def rss() -> float:
    """Resident memory of this process, in MB."""
    import psutil

    return float(psutil.Process().memory_info().rss / 1e6)


class Loop:
    """Notes for how long the event loop was held, and by how much the memory grew."""

    def __init__(self) -> None:
        self.held: list[float] = []
        self.held_by_us: list[float] = []  # CPU time, without full collections
        self.collected: list[float] = []
        self.collected_cpu: list[float] = []
        self.begun = 0
        self.memory = 0.0
        self._began, self._began_cpu = 0.0, 0.0
        gc.callbacks.append(self._collection)

    def forget(self) -> None:
        """Note no more collections."""
        gc.callbacks.remove(self._collection)

    def _collection(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began, self._began_cpu = time.perf_counter(), time.thread_time()
            self.begun += info["generation"] == 2
        elif info["generation"] == 2:
            self.collected.append(time.perf_counter() - self._began)
            self.collected_cpu.append(time.thread_time() - self._began_cpu)

    async def watch(self) -> None:
        """Note, until cancelled."""
        number = 0
        while True:
            before, cpu, begun = time.perf_counter(), time.process_time(), self.begun
            await asyncio.sleep(TICK)
            self.held.append(time.perf_counter() - before - TICK)
            if self.begun == begun:
                self.held_by_us.append(min(self.held[-1], time.process_time() - cpu))
            number += 1
            if number % 250 == 0:
                self.memory = max(self.memory, rss())
