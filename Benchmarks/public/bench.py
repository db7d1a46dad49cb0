"""What stands around the measured proxy: the network, the server, the certificate, and in header modes the load balancer in front."""
import contextlib
import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time

import processes
from network import NODE, OUTSIDE, Network, within_command

HERE = os.path.dirname(os.path.abspath(__file__))
PUBLIC, FRONT, APPLICATION, STATUS = 8443, 9443, 8080, 8081
LARGE = 64 << 20

SERVER = '''
user root; daemon off; worker_processes 1; worker_rlimit_nofile 20000; pid {work}/nginx.pid; error_log {work}/nginx.log crit;
events {{ worker_connections 16384; }}
http {{
  access_log off; tcp_nodelay on; default_type text/plain; sendfile on; client_max_body_size 0; lingering_time 1h;
  keepalive_timeout 1h; keepalive_requests 1000000000; client_header_timeout 1h;
  server {{
    listen {address}:{application} backlog=4096;
    location / {{ return 200 "ok\\n"; }}
    location = /large {{ root {work}; }}
  }}
  server {{ listen 127.0.0.1:{status}; location / {{ stub_status; }} }}
}}
'''

# PROXY headers are written by an HAProxy in the client's namespace; without them it is in the way all the same. Its CPU is not counted.
FRONT_CONFIGURATION = '''
global
  nbthread 1
  maxconn 6000
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen plain
  bind {outside}:{front} backlog 4096
  server node {node}:{public}
listen header
  bind {outside}:{front_header} backlog 4096
  server node {node}:{public} send-proxy-v2
'''

# For every client, all of which use OpenSSL: what the proxies are told, too. Envoy and Sallyport choose ciphers themselves.
CLIENT_TLS = '''
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = tls
[tls]
MinProtocol = TLSv1.3
Ciphersuites = TLS_AES_128_GCM_SHA256
Groups = X25519
'''


class Bench:
    def __init__(self, pinned=False):
        cpus = sorted(os.sched_getaffinity(0))
        self.cpus_of_others, self.cpus_of_proxies = ({cpus[0]}, {cpus[-1]}) if pinned else (set(cpus), set(cpus))
        os.sched_setaffinity(0, self.cpus_of_others)
        self.network = Network()
        self.work = tempfile.mkdtemp(prefix='sallyport-public.', dir='/dev/shm')
        self.idle, self.running, self.environment = False, [], dict(os.environ, OPENSSL_CONF=f'{self.work}/openssl.cnf')

    def up(self, fronted):
        self.network.up()
        self.write('openssl.cnf', CLIENT_TLS)
        self.write('large', bytes(LARGE))
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30',
                        '-subj', '/CN=public.example', '-addext', f'subjectAltName=DNS:public.example,IP:{NODE}',
                        '-keyout', f'{self.work}/key.pem', '-out', f'{self.work}/certificate.pem'], check=True, stderr=subprocess.DEVNULL)
        os.chmod(f'{self.work}/key.pem', 0o600)
        self.write('nginx.conf', SERVER.format(work=self.work, address=NODE, application=APPLICATION, status=STATUS))
        self.start(self.network.node, 'nginx', '-e', f'{self.work}/nginx.log', '-c', f'{self.work}/nginx.conf')
        self.until_served(self.network.node, NODE, APPLICATION, 'none', 5)
        self.status = self.network.within(self.network.node, lambda: socket.create_connection(('127.0.0.1', STATUS), 5))
        if fronted:
            self.write('front.cfg', FRONT_CONFIGURATION.format(
                outside=OUTSIDE, node=NODE, public=PUBLIC, front=FRONT, front_header=FRONT + 1))
            self.start(self.network.outside, 'haproxy', '-db', '-f', f'{self.work}/front.cfg')

    def down(self):
        for process in reversed(self.running):
            processes.end(process)
        self.network.down()
        shutil.rmtree(self.work, ignore_errors=True)

    def write(self, name, content):
        with open(f'{self.work}/{name}', 'wb') as file:
            file.write(content if isinstance(content, bytes) else content.encode())

    def start(self, namespace, *command, **options):
        process = processes.start(within_command(namespace, *command), **options)
        self.running.append(process)
        return process

    @contextlib.contextmanager
    def on_cpus_of_proxies(self):
        """What is started meanwhile inherits them."""
        os.sched_setaffinity(0, self.cpus_of_proxies)
        try:
            yield
        finally:
            os.sched_setaffinity(0, self.cpus_of_others)

    def end(self, process):
        processes.end(process)
        self.running.remove(process)

    def client(self, *command):
        """Starts a client outside."""
        process = subprocess.Popen(within_command(self.network.outside, *command), env=self.environment, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.running.append(process)
        return process

    def finish(self, client, patience):
        """What a client printed, which has `patience` seconds to end."""
        try:
            output, _ = client.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f'{client.args[2:]} did not end within {patience} s')
        finally:
            self.end(client)
        if client.returncode:
            raise RuntimeError(f'{client.args[2:]} failed: {output.strip()[-400:]}')
        return output

    def requests(self):
        """How many requests the server has handled so far."""
        self.status.sendall(b'GET / HTTP/1.1\r\nHost: status\r\n\r\n')
        answer = b''
        while b'Writing' not in answer:
            answer += self.status.recv(4096)
        return int(re.search(rb'requests\s+\d+ \d+ (\d+)', answer)[1])

    def until_served(self, namespace, address, port, mode, patience):
        """Waits until a request is answered."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

        def ask():
            limit = time.monotonic() + patience
            while True:
                try:
                    if mode == 'none':
                        connection = http.client.HTTPConnection(address, port, timeout=2)
                    else:
                        connection = http.client.HTTPSConnection(address, port, timeout=2, context=context)
                    connection.request('GET', '/')
                    if connection.getresponse().read() == b'ok\n':
                        return
                except (OSError, http.client.HTTPException) as failure:
                    if time.monotonic() > limit:
                        raise RuntimeError(f'nothing is served at {address}:{port} after {patience} s: {failure}')
                finally:
                    connection.close()
                time.sleep(0.05)
        self.network.within(namespace, ask)


class Peer:
    """A proxy under measurement: a program in peers/, by name, or elsewhere, by path. `NAME+header` has PROXY headers before its clients."""

    def __init__(self, bench, label):
        name, _, header = label.partition('+')
        self.bench, self.label, self.header = bench, label, header == 'header'
        self.program = name if '/' in name else os.path.join(HERE, 'peers', name)
        if not os.access(self.program, os.X_OK) or header not in ('', 'header'):
            raise RuntimeError(f'{label} is no peer: peers/ has {", ".join(known_peers())}')

    def version(self):
        done = subprocess.run([self.program, 'version'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return done.stdout.strip() if done.returncode == 0 else None

    def start(self, mode, bulk, fronted):
        """A fresh start, for each sample. Afterwards clients are served at `address` and `port`."""
        bench, self.mode = self.bench, mode
        self.work = f'{bench.work}/peer'
        shutil.rmtree(self.work, ignore_errors=True)
        os.mkdir(self.work)
        environment = dict(
            os.environ, W=self.work, ADDRESS=NODE, PORT=str(PUBLIC), OUTSIDE=OUTSIDE, APPLICATION=f'{NODE}:{APPLICATION}', MODE=mode,
            CERTIFICATE=f'{bench.work}/certificate.pem', KEY=f'{bench.work}/key.pem', HEADER=str(int(self.header)), BULK=str(int(bulk)))
        done = subprocess.run([self.program, 'prepare'], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise RuntimeError(f'{self.label} cannot be prepared: {done.stdout.strip()}')
        with open(f'{self.work}/log', 'wb') as log, bench.on_cpus_of_proxies():
            self.process = bench.start(bench.network.node, self.program, 'start', env=environment, log=log)
        self.address, self.port = (OUTSIDE, FRONT + self.header) if fronted else (NODE, PUBLIC)
        try:
            bench.until_served(bench.network.outside, self.address, self.port, mode, 15)
        except RuntimeError as failure:
            with open(f'{self.work}/log', errors='replace') as log:
                raise RuntimeError(f'{self.label}: {failure}; it said: {log.read()[-400:].strip() or "nothing"}')

    def stop(self):
        self.bench.end(self.process)

    def cpu_seconds(self):
        return processes.cpu_seconds(self.process.pid)


def known_peers():
    return sorted(name for name in os.listdir(os.path.join(HERE, 'peers')) if not name.endswith('.sh'))
