from __future__ import annotations

from eventflow.system import SystemClock


async def test_a_sleep_until_an_instant_that_has_passed_is_over_at_once():
    await SystemClock().sleep(-1.0)
