// Reads a version 1 header: one line of text (proxy-protocol.txt, 2.1).

import Linux

extension ProxyHeader {
    /// - Parameter start: The first byte behind "PROXY ".
    /// - Returns: nil while the line has no end.
    static func parseVersion1(
        _ bytes: UnsafeBufferPointer<UInt8>, from start: Int
    ) throws(Malformed) -> (header: ProxyHeader, length: Int)? {
        guard let end = try lineEnd(bytes, from: start) else { return nil }
        var line = Line(bytes: UnsafeBufferPointer(rebasing: bytes[..<end]), at: start)
        let protocolAt = line.at
        let word = line.word()
        let family: Family
        if word.elementsEqual("UNKNOWN".utf8) {
            // What follows is to be ignored, whatever it is.
            return (ProxyHeader(.v1, .proxy), end + 2)
        } else if word.elementsEqual("TCP4".utf8) {
            family = .ipv4
        } else if word.elementsEqual("TCP6".utf8) {
            family = .ipv6
        } else {
            throw Malformed(sentence: "at byte \(protocolAt) the protocol is \(quoted(word)): it must be TCP4, TCP6 or UNKNOWN")
        }
        let from = try line.address("source address", family)
        let to = try line.address("destination address", family)
        let fromPort = try line.port("source port")
        let toPort = try line.port("destination port")
        if !line.isAtEnd {
            throw Malformed(sentence: "at byte \(line.at) there is more behind the destination port: the line must end there, with CR LF")
        }
        var header = ProxyHeader(.v1, source: SocketAddress(from, fromPort), destination: SocketAddress(to, toPort))
        // Also when both are IPv4 addresses within IPv6, as dual-stack senders write them.
        header.family = family
        return (header, end + 2)
    }

    /// Where CR LF is.
    private static func lineEnd(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) throws(Malformed) -> Int? {
        // CR is the last but one byte of the line.
        let last = version1Limit - 2
        for at in start..<max(start, min(bytes.count, last + 1)) {
            if bytes[at] == UInt8(ascii: "\n") {
                throw Malformed(sentence: "at byte \(at) there is LF without CR: a version 1 header must end with CR LF")
            }
            if bytes[at] == UInt8(ascii: "\r") {
                if at + 1 == bytes.count { return nil }
                if bytes[at + 1] == UInt8(ascii: "\n") { return at }
                throw Malformed(sentence: "at byte \(at + 1) there is \(hex(bytes[at + 1])) behind CR: a version 1 header must end with CR LF")
            }
        }
        if bytes.count > last {
            throw Malformed(sentence: "at byte \(last) the line has no end in sight: a version 1 header has at most \(version1Limit) bytes, CR LF included")
        }
        return nil
    }
}

/// Words with one space between them.
private struct Line {
    let bytes: UnsafeBufferPointer<UInt8>
    /// Where the next word is, or behind the space that is missing before it.
    var at: Int

    init(bytes: UnsafeBufferPointer<UInt8>, at: Int) {
        self.bytes = bytes
        self.at = at
    }

    /// Whether neither a word nor a space is left.
    var isAtEnd: Bool { at > bytes.count }

    /// The bytes up to the next space; none if there are two spaces, or the line has ended.
    mutating func word() -> UnsafeBufferPointer<UInt8> {
        if isAtEnd { return UnsafeBufferPointer(rebasing: bytes[bytes.count...]) }
        let rest = bytes[at...]
        let word = rest[..<(rest.firstIndex(of: UInt8(ascii: " ")) ?? bytes.count)]
        at = word.endIndex + 1
        return UnsafeBufferPointer(rebasing: word)
    }

    /// The next word, which must be there.
    private mutating func word(_ name: String) throws(Malformed) -> UnsafeBufferPointer<UInt8> {
        if isAtEnd { throw Malformed(sentence: "at byte \(bytes.count) the line ends: the \(name) is missing") }
        let start = at
        let word = word()
        if word.isEmpty { throw Malformed(sentence: "at byte \(start) the \(name) is missing: it must follow one single space") }
        return word
    }

    mutating func address(_ name: String, _ family: ProxyHeader.Family) throws(Malformed) -> IPAddress {
        let start = at
        let word = try word(name)
        guard let address = Line.address(word, family) else {
            let right = family == .ipv4
                ? "TCP4 needs four numbers from 0 to 255 with dots between and no leading zeros" : "TCP6 needs an IPv6 address as RFC 4291 writes it"
            throw Malformed(sentence: "at byte \(start) the \(name) is \(quoted(word)): \(right)")
        }
        return address
    }

    mutating func port(_ name: String) throws(Malformed) -> UInt16 {
        let start = at
        let word = try word(name)
        // Five digits at most, so the number cannot overflow.
        guard word.count <= 5, word.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }),
            word.count == 1 || word[0] != UInt8(ascii: "0"),
            let port = UInt16(exactly: word.reduce(0) { $0 * 10 + UInt32($1 - UInt8(ascii: "0")) })
        else {
            throw Malformed(sentence: "at byte \(start) the \(name) is \(quoted(word)): a port is 0 to 65535, without leading zeros")
        }
        return port
    }

    /// What inet_pton(3) takes for the family: it knows no leading zeros, and IPv4 within IPv6 ("::ffff:192.0.2.1"), which is
    /// how haproxy and nginx write the IPv4 clients of a dual-stack listener.
    private static func address(_ word: UnsafeBufferPointer<UInt8>, _ family: ProxyHeader.Family) -> IPAddress? {
        // A zero byte would end the C string before the word ends.
        guard word.count < INET6_ADDRSTRLEN, !word.contains(0) else { return nil }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { text in
            for (at, byte) in word.enumerated() { text[at] = CChar(bitPattern: byte) }
            text[word.count] = 0
            guard let text = UnsafePointer(text.baseAddress) else { return nil }
            if family == .ipv4 {
                var v4 = in_addr()
                return inet_pton(AF_INET, text, &v4) == 1 ? IPAddress(v4: UInt32(bigEndian: v4.s_addr)) : nil
            }
            var words: (UInt64, UInt64) = (0, 0)
            return inet_pton(AF_INET6, text, &words) == 1 ? IPAddress(high: UInt64(bigEndian: words.0), low: UInt64(bigEndian: words.1)) : nil
        }
    }
}
