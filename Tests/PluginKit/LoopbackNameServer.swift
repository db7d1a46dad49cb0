// A name server of a test's own, on loopback, over UDP and TCP.

import Linux
import Support
import Synchronization

final class LoopbackNameServer: Sendable {
    enum Answer: Sendable {
        /// (owner, type, TTL, data) of each record.
        case records([Record])
        /// 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED.
        case failure(UInt8)
        /// The records, over TCP only: UDP says "truncated".
        case truncated([Record])
        /// Just these bytes after the header.
        case garbage([UInt8])
    }

    struct Record: Sendable {
        var name: String
        var type: UInt16
        var ttl: UInt32
        var data: [UInt8]

        static func a(_ name: String, _ ttl: UInt32, _ address: String) -> Record {
            let address = IPAddress(address)!  // the tests' own
            return Record(name: name, type: address.isV4 ? 1 : 28, ttl: ttl, data: address.bytes)
        }

        static func alias(_ name: String, _ ttl: UInt32, to target: String) -> Record {
            Record(name: name, type: 5, ttl: ttl, data: encode(target))
        }
    }

    struct Question: Hashable, Sendable {
        var name: String
        var type: UInt16
    }

    private let service: NameService
    private let thread: Mutex<RunningThread?>

    init(on ip: IPAddress = .v4Loopback) throws {
        let service = try NameService(on: ip)
        self.service = service
        thread = Mutex(try RunningThread(name: "name-server") { service.serve() })
    }

    deinit {
        service.end()
        thread.withLock { $0.take() }?.join()
    }

    var address: SocketAddress { service.address }

    func set(_ name: String, _ type: UInt16, _ answer: Answer) {
        service.answers.withLock { $0[Question(name: name, type: type)] = answer }
    }
}

/// What the thread works on: it may begin only when its server is going already, so it holds this and not the server.
private final class NameService: Sendable {
    typealias Question = LoopbackNameServer.Question
    typealias Record = LoopbackNameServer.Record

    let address: SocketAddress
    let answers = Mutex<[Question: LoopbackNameServer.Answer]>([:])
    private let udp: Descriptor
    private let tcp: Descriptor
    private let bell: Descriptor

    init(on ip: IPAddress) throws {
        let family = ip.isV4 ? AF_INET : AF_INET6
        udp = try NameService.socket(family, SOCK_DGRAM)
        tcp = try NameService.socket(family, SOCK_STREAM)
        address = try NameService.bind(udp, to: SocketAddress(ip, 0))
        _ = try NameService.bind(tcp, to: address)
        let listener = tcp.raw
        try syscall("listen") { listen(listener, 8) }
        bell = Descriptor(owning: try syscall("eventfd") { eventfd(0, Int32(EFD_CLOEXEC)) })
    }

    func end() { _ = eventfd_write(bell.raw, 1) }

    private static func socket(_ family: Int32, _ type: __socket_type) throws -> Descriptor {
        Descriptor(owning: try syscall("socket") { Glibc.socket(family, Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0) })
    }

    /// - Returns: The address with the port that the kernel chose for port 0.
    private static func bind(_ socket: borrowing Descriptor, to address: SocketAddress) throws -> SocketAddress {
        let raw = socket.raw
        var (name, length) = address.raw
        try syscall("bind", "\(address)") {
            withUnsafePointer(to: &name) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.bind(raw, $0, length) } }
        }
        length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        try syscall("getsockname") {
            withUnsafeMutablePointer(to: &name) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(raw, $0, &length) } }
        }
        return SocketAddress(name)
    }

    func serve() {
        var polled = [udp.raw, tcp.raw, bell.raw].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        while poll(&polled, 3, -1) >= 0, polled[2].revents == 0 {
            if polled[0].revents != 0 { serveDatagram() }
            if polled[1].revents != 0 { serveConnection() }
        }
    }

    private func serveDatagram() {
        var message = [UInt8](repeating: 0, count: 4096)
        var peer = sockaddr_in6()
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        let count = withUnsafeMutablePointer(to: &peer) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { recvfrom(udp.raw, &message, message.count, 0, $0, &length) }
        }
        guard count > 12 else { return }
        let reply = reply(to: Array(message[..<count]), overTCP: false)
        _ = withUnsafePointer(to: &peer) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { sendto(udp.raw, reply, reply.count, 0, $0, length) }
        }
    }

    private func serveConnection() {
        let connection = Descriptor(owning: accept(tcp.raw, nil, nil))
        var message = [UInt8](repeating: 0, count: 4096)
        // A question is small and comes in one segment on loopback.
        let count = read(connection.raw, &message, message.count)
        guard count > 14 else { return }
        let reply = reply(to: Array(message[2..<count]), overTCP: true)
        let framed = [UInt8(reply.count >> 8), UInt8(reply.count & 0xff)] + reply
        _ = write(connection.raw, framed, framed.count)
    }

    private func reply(to question: [UInt8], overTCP: Bool) -> [UInt8] {
        var labels: [String] = []
        var index = 12
        while question[index] != 0 {
            let length = Int(question[index])
            labels.append(String(decoding: question[(index + 1)...(index + length)], as: UTF8.self))
            index += length + 1
        }
        let type = UInt16(question[index + 1]) << 8 | UInt16(question[index + 2])
        let asked = Array(question[12..<(index + 5)])
        let answer = answers.withLock { $0[Question(name: labels.joined(separator: "."), type: type)] } ?? .records([])
        func message(_ flags: UInt8, _ code: UInt8, _ records: [Record]) -> [UInt8] {
            var bytes = Array(question[0..<2])
            // An answer; recursion available, without which glibc takes an empty answer for a referral and asks the next server.
            bytes += [0x80 | flags, 0x80 | code, 0, 1]
            bytes += number(records.count, 2)
            bytes += [0, 0, 0, 0]
            bytes += asked
            for record in records {
                bytes += encode(record.name)
                bytes += number(Int(record.type), 2)
                bytes += [0, 1]
                bytes += number(Int(record.ttl), 4)
                bytes += number(record.data.count, 2)
                bytes += record.data
            }
            return bytes
        }
        switch answer {
        case .records(let records): return message(0, 0, records)
        case .failure(let code): return message(0, code, [])
        case .truncated(let records): return overTCP ? message(0, 0, records) : message(0x02, 0, [])
        case .garbage(let bytes):
            var reply = message(0, 0, [])
            reply[7] = 5  // answers that are not there
            return reply + bytes
        }
    }
}

/// In network order.
private func number(_ value: Int, _ size: Int) -> [UInt8] {
    (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * (size - 1 - $0))) }
}

/// A domain name as it is in a message, without pointers.
func encode(_ name: String) -> [UInt8] {
    name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
}
