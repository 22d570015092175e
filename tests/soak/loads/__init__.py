"""The clients of the soak, one file each: ``async def run(load)`` goes on until it is cancelled.

Each runs in a process of its own (`soak.client`).
"""
