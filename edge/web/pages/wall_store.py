"""The frames of all cameras on the wall, within bounds of number and bytes, fair among clients."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from edge.web.pages.wall_camera import Camera, Seen

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_CAMERAS = 32
MAX_OPENED = 4
"""Frames of a camera that are kept because somebody has opened them last."""


class WallStore:
    """Holds cameras and their frames, and lets the least needed go.

    Thousands of names take no more memory than a few: the client that has most cameras gives up the
    one that has been silent for longest. Of bytes, too, the client that holds most gives way first:
    the oldest entries of its feeds, then the frames that walls show, then the pictures of its
    newest frames, the largest first.

    Args:
        max_bytes: of all pictures and answers.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._cameras: dict[str, Camera] = {}  # least recently seen first

    def __repr__(self) -> str:
        kept = sum(len(list(camera)) for camera in self)
        return f"<WallStore {kept} frames of {len(self._cameras)} cameras, {self.bytes} bytes>"

    def __iter__(self) -> Iterator[Camera]:
        """All cameras, the longest silent first."""
        return iter(self._cameras.values())

    def camera(self, name: str, client: str, *, every_frame_is_news: bool = False) -> Camera:
        """The camera of that name, from now on the most recently seen; a new one if need be."""
        camera = self._cameras.pop(name, None)
        if camera is None:
            if len(self._cameras) >= MAX_CAMERAS:
                self._forget_one(client)
            camera = Camera(name, client, every_frame_is_news=every_frame_is_news)
        self._cameras[name] = camera
        return camera

    def replace_newest(self, camera: Camera, seen: Seen) -> None:
        """Make the frame the camera's newest."""
        if seen.size > self.max_bytes:
            seen.picture = None
        self._hold(camera, seen)
        before, camera.newest = camera.newest, seen
        self._release(camera, before)

    def show(self, camera: Camera, seen: Seen) -> None:
        """Make the frame the one that walls show; they may still ask for the one before."""
        self._hold(camera, seen)
        self._release(camera, camera.shown_before)
        camera.shown_before, camera.shown = camera.shown, seen

    def feed(self, camera: Camera, seen: Seen, now: float, size: int) -> None:
        """Make the frame the last of the camera's feed, which keeps up to ``size``."""
        self._hold(camera, seen)
        camera.feed_with(seen, now)
        if len(camera.feed) > size:
            self._release(camera, camera.feed.popleft())

    def keep_open(self, seen: Seen) -> None:
        """Keep a frame that somebody looks at, though newer ones come."""
        camera = self._cameras[seen.camera]
        if seen in camera.opened:
            return
        self._hold(camera, seen)
        camera.opened.append(seen)
        if len(camera.opened) > MAX_OPENED:
            self._release(camera, camera.opened.popleft())

    def clear(self) -> None:
        """Let go of all frames."""
        for camera in self:
            camera.clear()
        self.bytes = 0

    def recount(self, seen: Seen) -> None:
        """Count the frame's bytes again, which have changed."""
        if seen.uses:
            self._count(self._cameras[seen.camera], seen, seen.size)

    def make_room(self) -> None:
        """While over the limit of bytes: the client that holds most loses its least needed."""
        while self.bytes > self.max_bytes:
            held: Counter[str] = Counter()
            for camera in self._cameras.values():
                held[camera.client] += camera.held
            most = max(held, key=lambda client: held[client])
            self._give_way([one for one in self._cameras.values() if one.client == most])

    def _give_way(self, cameras: list[Camera]) -> None:
        cameras.sort(key=lambda camera: camera.held, reverse=True)
        for camera in cameras:
            oldest = camera.feed or camera.opened
            if oldest:
                self._release(camera, oldest.popleft())
                return
        for camera in cameras:
            if camera.shown_before is not None:
                self._release(camera, camera.shown_before)
                camera.shown_before = None
                return
            if camera.shown is not None and camera.shown is not camera.newest:
                self._release(camera, camera.shown)
                camera.shown = None
                return
        newest = [one.newest for one in cameras if one.newest is not None]
        largest = max(newest, key=lambda seen: seen.counted)
        if largest.picture is not None or largest.small is not None:
            largest.picture = largest.small = None
            self.recount(largest)
            return
        camera = self._cameras[largest.camera]
        for held in (camera.newest, camera.shown):
            self._release(camera, held)
        camera.newest = camera.shown = None

    def _forget_one(self, newcomer: str) -> None:
        """Forget the longest silent camera of the client that would have the most."""
        cameras = Counter(camera.client for camera in self._cameras.values())
        cameras[newcomer] += 1
        most = max(cameras.values())
        for name, camera in self._cameras.items():
            if cameras[camera.client] == most:
                self.bytes -= camera.held
                camera.clear()
                del self._cameras[name]
                return

    def _hold(self, camera: Camera, seen: Seen) -> None:
        seen.uses += 1
        if seen.uses == 1:
            self._count(camera, seen, seen.size)

    def _release(self, camera: Camera, seen: Seen | None) -> None:
        if seen is None or not seen.uses:
            return
        seen.uses -= 1
        if not seen.uses:
            self._count(camera, seen, 0)

    def _count(self, camera: Camera, seen: Seen, size: int) -> None:
        more = size - seen.counted
        seen.counted = size
        camera.held += more
        self.bytes += more
