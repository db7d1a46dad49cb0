"""Two network namespaces, the client's and the node's, joined by a veth pair; nothing outside them is touched."""
import ctypes
import os
import subprocess
import threading

OUTSIDE, NODE = '10.79.0.1', '10.79.0.2'
CLONE_NEWNET = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)


class Network:
    def __init__(self):
        self.outside, self.node = (f'sallyport-public-{os.getpid()}-{place}' for place in ('outside', 'node'))

    def up(self):
        for namespace in (self.outside, self.node):
            ip('netns', 'add', namespace)
            ip('-n', namespace, 'link', 'set', 'lo', 'up')
        ip('-n', self.outside, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', self.node)
        for namespace, address in ((self.outside, OUTSIDE), (self.node, NODE)):
            ip('-n', namespace, 'address', 'add', f'{address}/24', 'dev', 'eth0')
            ip('-n', namespace, 'link', 'set', 'eth0', 'up')
            # Whatever this machine is tuned for: no pacing (a host with bbr hands that on, and timers are a fifth of bulk then), Linux's own buffers.
            # Thousands of connections a second from one address: their ports are used again at once.
            self.within(namespace, lambda: settings({
                'net/ipv4/tcp_congestion_control': 'reno', 'net/ipv4/tcp_rmem': '4096 131072 6291456',
                'net/ipv4/tcp_wmem': '4096 16384 4194304', 'net/ipv4/tcp_tw_reuse': '1', 'net/ipv4/ip_local_port_range': '17000 60999',
                'net/core/somaxconn': '4096', 'net/ipv4/tcp_max_syn_backlog': '8192'}))

    def down(self):
        for namespace in (self.outside, self.node):
            subprocess.run(['ip', 'netns', 'delete', namespace], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def within(self, namespace, work):
        """What `work` returns, done by a thread inside the namespace: sockets made there stay there."""
        result = {}

        def run():
            try:
                with open(f'/run/netns/{namespace}') as file:
                    if libc.setns(file.fileno(), CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), f'cannot enter the namespace {namespace}')
                result['value'] = work()
            except BaseException as failure:
                result['failure'] = failure
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if 'failure' in result:
            raise result['failure']
        return result['value']


def within_command(namespace, *command):
    """The command line that runs a command inside; its process is the command's own."""
    return ['nsenter', f'--net=/run/netns/{namespace}', '--', *command]


def ip(*arguments):
    done = subprocess.run(['ip', *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise RuntimeError(f'ip {" ".join(arguments)}: {done.stdout.strip()}')


def settings(values):
    for name, value in values.items():
        with open(f'/proc/sys/{name}', 'w') as file:
            file.write(value)
