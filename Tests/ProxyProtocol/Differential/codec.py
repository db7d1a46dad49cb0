"""What the codec proxy-protocol of PyPI reads in connections' first bytes.

codec.py generate SEED COUNT   makes COUNT beginnings of connections: headers that it writes, others put together by hand,
                               and flawed copies of both
codec.py read FILE             takes them from FILE, one a line in hexadecimal

For each it prints a line of JSON: the bytes, what was read ("header", "incomplete" or "refused"), and the fields of a header.
"""

import ipaddress
import json
import random
import socket
import struct
import sys

from crc32c import crc32c
from proxyprotocol import ProxyProtocolIncompleteError
from proxyprotocol.detect import ProxyProtocolDetect
from proxyprotocol.result import ProxyResultIPv4, ProxyResultIPv6, ProxyResultLocal, ProxyResultUnix
from proxyprotocol.tlv import ProxyProtocolSSLTLV, ProxyProtocolTLV
from proxyprotocol.v1 import ProxyProtocolV1
from proxyprotocol.v2 import ProxyProtocolV2

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


# Reading.


def cut(data):
    """The header alone, as a reader of a socket takes it: by line, or by the length that it says."""
    if data.startswith(b"PROXY "):
        return data[: data.index(b"\n") + 1] if b"\n" in data else data
    return data[: 16 + struct.unpack("!H", data[14:16])[0]] if len(data) >= 16 else data


def fields(result):
    tlv = result.tlv
    out = {"type": result.type.name, "proxied": result.proxied}
    if result.type.name.startswith("IP"):
        for name, (address, port) in (("source", result.source), ("destination", result.dest)):
            out[name] = address.packed.hex() + f":{port}"
    elif result.type.name == "UNIX":
        out["source"] = result.source.encode().hex()
        out["destination"] = result.dest.encode().hex()
    out["tlvs"] = {str(number): value.hex() for number, value in tlv.items()}
    # Each is decoded when it is asked for.
    out["authority"], out["netns"] = tlv.authority, tlv.netns
    if 0x20 in tlv:
        ssl = tlv.ssl
        out["ssl"] = {
            "client": ssl.client, "verify": ssl.verify, "version": ssl.version, "cn": ssl.cn, "cipher": ssl.cipher,
            "sigAlg": ssl.sig_alg, "keyAlg": ssl.key_alg,
        }
    return out


def read(data):
    line = {"hex": data.hex()}
    try:
        header = cut(data)
        result = ProxyProtocolDetect().unpack(header)
        return line | {"verdict": "header", "length": len(header), "fields": fields(result)}
    except ProxyProtocolIncompleteError:
        return line | {"verdict": "incomplete"}
    except Exception as error:  # its own errors, and those of struct, ipaddress and str that it lets through
        return line | {"verdict": "refused", "why": f"{type(error).__name__}: {error}"}


# Generating.


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def address(self, kind):
        size = 4 if kind is ipaddress.IPv4Address else 16
        if size == 16 and self.random.random() < 0.1:
            return kind(b"\0" * 10 + b"\xff\xff" + self.random.randbytes(4))
        number = bytearray(self.random.randbytes(size))
        for at in range(size):  # runs of zeros, which IPv6 writes as "::"
            if self.random.random() < 0.4:
                number[at] = 0
        return kind(bytes(number))

    def port(self):
        return self.random.choice([0, 1, 80, 443, 65535, self.random.randrange(65536)])

    def name(self, longest=40):
        letters = "abcdefghijklmnopqrstuvwxyz0123456789.-"
        return "".join(self.random.choices(letters, k=self.random.randrange(longest)))

    def tlvs(self):
        """Fields as the codec itself writes them."""
        def some(value):
            return value if self.random.random() < 0.4 else None
        ssl = ProxyProtocolSSLTLV(
            has_ssl=True, has_cert_conn=self.random.random() < 0.5, verified=self.random.random() < 0.5, version=some("TLSv1.3"),
            cn=some(self.name() + "é"), cipher=some("TLS_AES_128_GCM_SHA256"), sig_alg=some("RSA-SHA256"), key_alg=some("EC256"))
        others = {kind: self.random.randbytes(self.random.randrange(30)) for kind in (0x07, 0xE0, 0xEE, 0xF3) if self.random.random() < 0.3}
        if self.random.random() < 0.3:
            others[0xEA] = b"\x01vpce-" + self.name(20).replace(".", "-").encode()
        return ProxyProtocolTLV(
            init=others, alpn=some(b"h2"), authority=some(self.name()), unique_id=some(self.random.randbytes(self.random.randrange(140))),
            netns=some(self.name()), ssl=some(ssl))

    def written(self):
        """A header that the codec writes."""
        protocol = self.random.choice([ProxyProtocolV1(), ProxyProtocolV2(), ProxyProtocolV2()])
        v2 = isinstance(protocol, ProxyProtocolV2)
        more = {"tlv": self.tlvs(), "protocol": socket.SOCK_STREAM} if v2 else {}
        kind = self.random.choice(["4", "6", "unix", "local"] if v2 else ["4", "6"])
        if kind == "local":
            # Its writer adds a checksum to every header.
            return protocol.pack(ProxyResultLocal(tlv=more["tlv"]))
        if kind == "unix":
            return protocol.pack(ProxyResultUnix("/" + self.name(100), "/" + self.name(100), **more))
        family, result = (ipaddress.IPv4Address, ProxyResultIPv4) if kind == "4" else (ipaddress.IPv6Address, ProxyResultIPv6)
        return protocol.pack(result((self.address(family), self.port()), (self.address(family), self.port()), **more))

    def assembled(self):
        """A version 2 header by hand, without a checksum or with one at any place: what flaws it has are deep."""
        size, family = self.random.choice([(0, 0x00), (12, 0x11), (12, 0x11), (36, 0x21), (36, 0x21), (216, 0x31), (12, 0x12), (12, 0x10), (0, 0x01)])
        if self.random.random() < 0.05:
            family = self.random.randrange(256)
        block = bytes(self.random.choice(b"/ab\0") for _ in range(size)) if size == 216 else self.random.randbytes(size)
        kinds = [0x01, 0x02, 0x04, 0x05, 0x07, 0x20, 0x30, 0xE0, 0xEA]
        parts = []
        for kind in self.random.choices(kinds, k=self.random.randrange(4)):
            value = self.random.choice([b"", b"x", b"\x01vpce-0", b"caf\xc3\xa9", b"\xff\xfe", self.random.randbytes(130)])
            if kind == 0x20 and self.random.random() < 0.8:
                sub = bytes([self.random.choice([0x21, 0x22, 0x23, 0x28])]) + struct.pack("!H", len(value)) + value
                value = struct.pack("!BI", self.random.randrange(8), self.random.randrange(2)) + sub * self.random.choice([1, 1, 1, 2])
            parts.append(bytes([kind]) + struct.pack("!H", len(value)) + value)
        checked = self.random.random() < 0.5
        if checked:
            parts.insert(self.random.randrange(len(parts) + 1), b"\x03\0\x04\0\0\0\0")
        rest = block + b"".join(parts)
        command = 0x20 if self.random.random() < 0.1 else 0x21
        if self.random.random() < 0.05:
            rest += b"\x04" + struct.pack("!H", 4096) + b"\0" * 4096
        header = SIGNATURE + bytes([command, family]) + struct.pack("!H", len(rest)) + rest
        if checked and self.random.random() < 0.9:
            at = 16 + size + sum(len(part) for part in parts[: parts.index(b"\x03\0\x04\0\0\0\0")]) + 3
            header = header[:at] + struct.pack("!I", crc32c(header)) + header[at + 4 :]
        return header

    def line(self):
        """A version 1 line by hand, with the flaws that people know."""
        words = ["PROXY", self.random.choice(["TCP4", "TCP6", "TCP5", "tcp4", "UNKNOWN", "UNKNOWNX"])]
        kind = ipaddress.IPv6Address if words[1] == "TCP6" else ipaddress.IPv4Address
        odd = ["01.2.3.4", "1.2.3", "1.2.3.4.5", "256.1.1.1", "::1", "1.2.3.4", "fe80::1%eth0", "1::2::3", "::ffff:1.2.3.4", "12345::", ""]
        for _ in range(2):
            words.append(str(self.address(kind)) if self.random.random() < 0.8 else self.random.choice(odd))
        for _ in range(2):
            words.append(self.random.choice(["0", "80", "443", "65535", "65536", "080", "+80", "-1", "8_0", "", "0x50", "99999999999999999999"]))
        if self.random.random() < 0.1:
            words.append(self.random.choice(["more", "", "x" * 90, "\r x"]))
        gap = "  " if self.random.random() < 0.05 else " "
        end = self.random.choice(["\r\n"] * 8 + ["\n", "\r", "\n\r", " \r\n"])
        return (gap.join(words) + end).encode()

    def flawed(self, data):
        data = bytearray(data)
        for _ in range(self.random.choice([1, 1, 2])):
            if not data:
                break
            at = self.random.randrange(len(data))
            match self.random.randrange(6):
                case 0: data[at] ^= 1 << self.random.randrange(8)
                case 1: data[at] = self.random.randrange(256)
                case 2: data.insert(at, self.random.randrange(256))
                case 3: del data[at]
                case 4: del data[at:]
                case 5 if len(data) >= 16: data[15] = (data[15] + self.random.choice([-3, -1, 1, 3])) % 256
        return bytes(data)

    def beginning(self):
        data = self.random.choice([self.written, self.written, self.assembled, self.line])()
        if self.random.random() < 0.4:
            data = self.flawed(data)
        return data + self.random.choice([b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n", data])


if __name__ == "__main__":
    if sys.argv[1] == "generate":
        maker = Maker(int(sys.argv[2]))
        inputs = (maker.beginning() for _ in range(int(sys.argv[3])))
    else:
        inputs = (bytes.fromhex(line) for line in open(sys.argv[2]).read().split("\n") if line)
    for data in inputs:
        print(json.dumps(read(data)))
