#!/usr/bin/python3
"""fault_proxy.py --to HOST:PORT [--listen PORT]: TCP between a client and a server, with faults on demand.

In a test: `with FaultProxy("127.0.0.1", port) as proxy: proxy.black_hole(True)`. As a program it prints the port, and then reads
one switch a line from its standard input (`cut`, `refuse on`, `latency 0.2` …) until that ends.
"""
import argparse
import asyncio
import socket
import struct
import sys
import threading

CHUNK = 64 << 10
CALL_SECONDS = 10
CONNECTIONS_MAX = 1000
# Answers from the server and requests to it; what a switch may be limited to.
TO_SERVER, TO_CLIENT = "to_server", "to_client"


def _reset(writer):
    """Closes with a reset instead of an end: what a peer sees of a host that lost its connections."""
    peer = writer.get_extra_info("socket")
    if peer is not None:
        try:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
    writer.transport.abort()


class _Connection:
    def __init__(self, proxy, reader, writer):
        self.proxy = proxy
        self.client_reader, self.client = reader, writer
        self.server = None
        self.carried = {TO_SERVER: 0, TO_CLIENT: 0}

    def reset(self):
        for writer in (self.client, self.server):
            if writer is not None:
                _reset(writer)

    async def run(self):
        await self.proxy.wait_until_passing()
        if self.client.is_closing():
            return
        server_reader, self.server = await asyncio.open_connection(*self.proxy.target)
        pumps = [asyncio.create_task(self.pump(self.client_reader, self.server, TO_SERVER)),
                 asyncio.create_task(self.pump(server_reader, self.client, TO_CLIENT))]
        try:
            await asyncio.gather(*pumps)
        finally:
            for pump in pumps:
                pump.cancel()

    async def pump(self, reader, writer, direction):
        proxy = self.proxy
        while data := await reader.read(CHUNK):
            while data:
                piece, data = self.cut_piece(data)
                await proxy.delay(len(piece))
                await proxy.wait_until_passing()
                if writer.is_closing():
                    return
                if direction == TO_CLIENT and proxy.dropping:
                    continue
                writer.write(piece)
                await writer.drain()
                self.carried[direction] += len(piece)
                proxy.carried[direction] += len(piece)
                if self.is_spent(direction):
                    proxy.spent()
                    self.reset()
                    return
        if writer.can_write_eof():
            writer.write_eof()

    def cut_piece(self, data):
        """What is forwarded at once: never more than a limit leaves, or than goes in a tenth of a second."""
        size = len(data)
        if self.proxy.bandwidth is not None:
            size = min(size, max(1, int(self.proxy.bandwidth / 10)))
        if self.proxy.close_after is not None:
            size = min(size, max(1, self.proxy.close_after - self.carried[self.proxy.close_direction]))
        return data[:size], data[size:]

    def is_spent(self, direction):
        proxy = self.proxy
        return (proxy.close_after is not None and direction == proxy.close_direction
                and self.carried[direction] >= proxy.close_after)


class FaultProxy:
    """Switches act at once, on open connections too, and may be called by any thread; they return when they are in force."""

    def __init__(self, host, port, listen_port=0):
        self.target, self.port = (host, port), listen_port
        self.accepted = 0
        self.carried = {TO_SERVER: 0, TO_CLIENT: 0}
        self.latency = 0.0
        self.bandwidth = self.close_after = None
        self.close_direction, self.close_once = TO_CLIENT, False
        self.dropping = self.refusing = False
        self._connections, self._server = set(), None
        self._loop = self._thread = self._passing = self._placeholder = None

    # The switches.

    def cut(self):
        """Resets all connections that are open; new ones work."""
        self._call(self._cut)

    def refuse(self, on=True):
        """New connections are refused, as if nobody listened; open ones work."""
        self._call(self._refuse, on)

    def black_hole(self, on=True):
        """Connections are accepted and stay open, and nothing is forwarded. What came meanwhile is forwarded afterwards."""
        self._call(self._black_hole, on)

    def drop_responses(self, on=True):
        """What the client sends arrives; what the server answers is lost for ever."""
        self._call(self._set, "dropping", on)

    def set_latency(self, seconds):
        """Before each piece, in both directions."""
        self._call(self._set, "latency", float(seconds))

    def set_bandwidth(self, bytes_per_second):
        """Of each connection and direction; None for no limit."""
        self._call(self._set, "bandwidth", None if bytes_per_second is None else max(1, int(bytes_per_second)))

    def close_after_bytes(self, number, direction=TO_CLIENT, once=False):
        """Each connection (`once`: the first that gets there) is reset when it has carried so many, of which the
        last may get lost, as a reset does it; None ends that."""
        self._call(self._close_after, number, direction, once)

    def heal(self):
        """No fault any more."""
        self._call(self._heal)

    @property
    def open_connections(self):
        return len(self._connections)

    # Its thread.

    def start(self):
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name=f"proxy to {self.target[1]}", daemon=True)
        self._thread.start()
        if not ready.wait(CALL_SECONDS) or self._server is None:
            raise OSError(f"the proxy to {self.target} cannot listen on {self.port}")
        return self

    def close(self):
        if self._loop is not None and self._loop.is_running():
            self._call(self._cut)
            self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread is not None:
            self._thread.join(CALL_SECONDS)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def _run(self, ready):
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        try:
            self._passing = asyncio.Event()
            self._passing.set()
            self._loop.run_until_complete(self._listen())
        except OSError:
            return ready.set()
        ready.set()
        self._loop.run_forever()
        self._close_listener()
        self._placeholder.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    def _call(self, function, *arguments):
        """Runs it in the thread of the loop and waits for it. Raises OSError."""
        async def run():
            result = function(*arguments)
            if asyncio.iscoroutine(result):
                await result

        try:
            asyncio.run_coroutine_threadsafe(run(), self._loop).result(CALL_SECONDS)
        except TimeoutError:
            raise OSError("the proxy does not obey") from None

    async def _listen(self):
        # Bound and never listening: keeps the port ours while connections are refused.
        self._placeholder = self._socket()
        self.port = self._placeholder.getsockname()[1]
        await self._open_listener()

    async def _open_listener(self):
        if self._server is None and not self.refusing:
            listener = self._socket()
            self._server = await asyncio.start_server(self._serve, sock=listener, backlog=256)

    def _close_listener(self):
        if self._server is not None:
            self._server.close()
            self._server = None

    def _socket(self):
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", self.port))
        bound.setblocking(False)
        return bound

    async def _serve(self, reader, writer):
        if len(self._connections) >= CONNECTIONS_MAX:
            return _reset(writer)
        self.accepted += 1
        connection = _Connection(self, reader, writer)
        self._connections.add(connection)
        try:
            await connection.run()
        except OSError:
            pass  # One side has gone: so does the other.
        finally:
            self._connections.discard(connection)
            connection.reset()

    async def wait_until_passing(self):
        await self._passing.wait()

    async def delay(self, size):
        seconds = self.latency + (size / self.bandwidth if self.bandwidth else 0)
        if seconds > 0:
            await asyncio.sleep(seconds)

    def spent(self):
        if self.close_once:
            self.close_after = None

    # In the thread of the loop.

    def _set(self, name, value):
        setattr(self, name, value)

    def _cut(self):
        for connection in list(self._connections):
            connection.reset()

    async def _refuse(self, on):
        self.refusing = on
        if on:
            self._close_listener()
        else:
            await self._open_listener()

    def _black_hole(self, on):
        if on:
            self._passing.clear()
        else:
            self._passing.set()

    def _close_after(self, number, direction, once):
        self.close_after, self.close_direction, self.close_once = number, direction, once

    async def _heal(self):
        self.latency, self.bandwidth, self.close_after = 0.0, None, None
        self.dropping = False
        self._passing.set()
        await self._refuse(False)


SWITCHES = {
    "cut": lambda proxy, _: proxy.cut(),
    "heal": lambda proxy, _: proxy.heal(),
    "refuse": lambda proxy, value: proxy.refuse(value == "on"),
    "black_hole": lambda proxy, value: proxy.black_hole(value == "on"),
    "drop_responses": lambda proxy, value: proxy.drop_responses(value == "on"),
    "latency": lambda proxy, value: proxy.set_latency(float(value)),
    "bandwidth": lambda proxy, value: proxy.set_bandwidth(None if value == "off" else float(value)),
    "close_after": lambda proxy, value: proxy.close_after_bytes(None if value == "off" else int(value)),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", required=True, metavar="HOST:PORT")
    parser.add_argument("--listen", type=int, default=0, metavar="PORT")
    options = parser.parse_args()
    host, _, port = options.to.rpartition(":")
    with FaultProxy(host, int(port), options.listen) as proxy:
        print(proxy.port, flush=True)
        for line in sys.stdin:
            name, _, value = line.strip().partition(" ")
            try:
                SWITCHES[name](proxy, value)
                print("ok", flush=True)
            except (KeyError, ValueError):
                print("switches: " + ", ".join(SWITCHES), flush=True)


if __name__ == "__main__":
    main()
