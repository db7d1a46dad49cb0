"""What clients do, and what is measured of it: each workload returns its figures by name."""
import json
import re
import time

from bench import HERE

STREAMS = 4
FULL_CLIENTS = 16


def bulk(direction):
    def run(bench, peer, seconds):
        before = peer.cpu_seconds()
        client = bench.client(f'{HERE}/transfer', direction, 'plain' if peer.mode == 'none' else 'tls', peer.address, str(peer.port),
                              str(STREAMS), str(seconds))
        moved = int(bench.finish(client, seconds + 20))
        return {'cpu': (peer.cpu_seconds() - before) * 1000 / (moved / 1e9), 'rate': moved * 8 / 1e9 / seconds}
    return run


def requests(connections, closes=False):
    """wrk, with one thread. Where connections close it resumes all but the first session of each, if the proxy lets it."""
    def run(bench, peer, seconds):
        pause = 0 if closes else 0.2 + connections / 400
        whole = round(seconds + pause + 0.5)
        scheme = 'http' if peer.mode == 'none' else 'https'
        options = ['-H', 'Connection: close'] if closes else []
        client = bench.client('wrk', '-t1', f'-c{connections}', f'-d{whole}s', '--timeout', '10s', '-s', f'{HERE}/held.lua', *options,
                              f'{scheme}://{peer.address}:{peer.port}/', '--', '0' if closes else str(connections), str(round(pause * 1000)))
        figures = window(bench, peer, pause + 0.3, whole - 0.1)
        said = json.loads(bench.finish(client, 20).splitlines()[-1])
        if said['errors']:
            raise RuntimeError(f'{said["errors"]} requests failed')
        # What wrk calls latency begins when the connection is open: of those that are opened for each request it tells little.
        return figures if closes else dict(figures, p50=said['p50'], p99=said['p99'])
    return run


def full_handshakes(bench, peer, seconds):
    """`openssl s_time -new`, many processes: wrk cannot be kept from resuming. Its stars are full handshakes, its r are resumed ones."""
    whole = round(seconds + 1)
    clients = [bench.client('openssl', 's_time', '-connect', f'{peer.address}:{peer.port}', '-www', '/', '-new', '-time', str(whole))
               for _ in range(FULL_CLIENTS)]
    figures = window(bench, peer, 0.4, whole - 0.6)
    for client in clients:
        said = bench.finish(client, 20)
        if re.search(r'^r', said, re.MULTILINE):
            raise RuntimeError('sessions were resumed that should not have been')
    return figures


def window(bench, peer, begin, end):
    """CPU and requests, by the server's count, between two times from now, in seconds."""
    began = time.monotonic()
    time.sleep(begin)
    first, count, cpu = time.monotonic(), bench.requests(), peer.cpu_seconds()
    time.sleep(max(0, began + end - time.monotonic()))
    # The count has the question itself in it.
    count, cpu, seconds = bench.requests() - count - 1, peer.cpu_seconds() - cpu, time.monotonic() - first
    if count <= 0:
        raise RuntimeError('no request was answered')
    return {'cpu': cpu * 1e6 / count, 'rate': count / seconds}


WORKLOADS = {
    'bulk-down': bulk('down'), 'bulk-up': bulk('up'), 'conn': requests(64, closes=True), 'conn-full': full_handshakes,
    'rr1': requests(1), 'rr64': requests(64), 'rr512': requests(512),
}
# What a mode measures unless told otherwise, and of what: the first is what ratios are to.
MODES = {
    'tls': (list(WORKLOADS), ['haproxy', 'nginx', 'envoy', 'sallyport']),
    'none': ([name for name in WORKLOADS if name != 'conn-full'], ['haproxy', 'haproxy-splice', 'nginx', 'envoy', 'sallyport']),
    'header-tls': (['conn', 'conn-full', 'rr64'], ['sallyport']),
    'header-none': (['conn', 'rr64'], ['sallyport']),
}
# workload -> the figures shown: name, words, digits behind the point
BULK = [('cpu', 'CPU ms per GB', 0), ('rate', 'Gbit/s', 2)]
EACH = [('cpu', 'CPU µs each', 1), ('rate', 'per second', 0), ('p50', 'p50, µs', 0), ('p99', 'p99, µs', 0)]
TITLES = {
    'bulk-down': (f'{STREAMS} streams down', BULK), 'bulk-up': (f'{STREAMS} streams up', BULK),
    'conn': ('new connections, 64 at a time', EACH), 'conn-full': (f'new connections, full handshakes, {FULL_CLIENTS} at a time', EACH),
    'rr1': ('requests, 1 connection', EACH), 'rr64': ('requests, 64 connections', EACH), 'rr512': ('requests, 512 connections', EACH),
}
