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

    let address: SocketAddress
    private let answers = Mutex<[Question: Answer]>([:])
    private let udp: Descriptor
    private let tcp: Descriptor
    private let bell: Descriptor
    private let thread = Mutex<RunningThread?>(nil)

    init(on ip: IPAddress = .v4Loopback) throws {
        let family = ip.isV4 ? AF_INET : AF_INET6
        (udp, address) = try LoopbackNameServer.bound(family, SOCK_DGRAM, SocketAddress(ip, 0))
        (tcp, _) = try LoopbackNameServer.bound(family, SOCK_STREAM, address)
        let listener = tcp.raw
        try syscall("listen") { listen(listener, 8) }
        bell = Descriptor(owning: try syscall("eventfd") { eventfd(0, Int32(EFD_CLOEXEC)) })
        let started = try RunningThread(name: "name-server") { [unowned self] in serve() }
        thread.withLock { $0 = started }
    }

    deinit {
        _ = eventfd_write(bell.raw, 1)
        thread.withLock { $0?.join() }
    }

    func set(_ name: String, _ type: UInt16, _ answer: Answer) {
        answers.withLock { $0[Question(name: name, type: type)] = answer }
    }

    private static func bound(_ family: Int32, _ type: __socket_type, _ address: SocketAddress) throws -> (Descriptor, SocketAddress) {
        let socket = Descriptor(owning: try syscall("socket") { Glibc.socket(family, Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0) })
        let raw = socket.raw
        var (name, length) = address.raw
        try syscall("bind", "\(address)") {
            withUnsafePointer(to: &name) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(raw, $0, length) } }
        }
        length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        try syscall("getsockname") {
            withUnsafeMutablePointer(to: &name) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(raw, $0, &length) } }
        }
        return (socket, SocketAddress(name))
    }

    private func serve() {
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
            question[0..<2] + [0x80 | flags, code, 0, 1, UInt8(records.count >> 8), UInt8(records.count & 0xff), 0, 0, 0, 0] + asked
                + records.flatMap { record in
                    encode(record.name) + [UInt8(record.type >> 8), UInt8(record.type & 0xff), 0, 1]
                        + (0..<4).map { UInt8(truncatingIfNeeded: record.ttl >> (24 - 8 * $0)) }
                        + [UInt8(record.data.count >> 8), UInt8(record.data.count & 0xff)] + record.data
                }
        }
        switch answer {
        case .records(let records): return message(0, 0, records)
        case .failure(let code): return message(0, code, [])
        case .truncated(let records): return overTCP ? message(0, 0, records) : message(0x02, 0, [])
        case .garbage(let bytes): return message(0, 0, []).enumerated().map { $0.offset == 7 ? 5 : $0.element } + bytes
        }
    }
}

private func encode(_ name: String) -> [UInt8] {
    name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
}
