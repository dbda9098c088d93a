"""The aetcd client of PyPI, unchanged.

usage: aetcd_client.py HOST PORT
"""
import asyncio
import sys

import aetcd


async def main():
    client = aetcd.Client(host=sys.argv[1], port=int(sys.argv[2]), timeout=20)
    await client.connect()
    await client.put(b"key", b"value")
    assert (await client.get(b"key")).value == b"value"
    lease = await client.lease(30)
    await client.put(b"leased", b"1", lease=lease)
    assert await lease.remaining_ttl() > 0

    watch = await client.watch(b"watched")
    await client.put(b"watched", b"1")
    async for event in watch:
        assert event.kv.key == b"watched"
        break
    await watch.cancel()

    async with client.lock(b"lock", ttl=30) as lock:
        assert await lock.is_acquired()
    done, _ = await client.transaction(
        compare=[client.transactions.value(b"key") == b"value"],
        success=[client.transactions.put(b"key", b"other")], failure=[])
    assert done
    await lease.revoke()
    assert await client.get(b"leased") is None
    assert (await client.status()).version == "3.5.1"
    await client.close()
    print("aetcd works")


asyncio.run(main())
