// Names in /etc/hosts come before DNS, as with every other program; hosts(5).

import Linux

package struct HostsFile: Sendable {
    /// The file may change at any time and has no TTL.
    static let ttl: UInt32 = 30

    private let path: String

    package init(path: String = "/etc/hosts") { self.path = path }

    /// - Returns: nil if the file has no line with `name`, or cannot be read.
    package func answer(for name: String) -> NameAnswer? {
        guard let text = contents() else { return nil }
        let addresses = HostsFile.addresses(of: name, in: text)
        return addresses.isEmpty
            ? nil : NameAnswer(v4: HostsFile.family(addresses.filter(\.isV4)), v6: HostsFile.family(addresses.filter { !$0.isV4 }))
    }

    package static func addresses(of name: String, in text: String) -> [IPAddress] {
        var found: [IPAddress] = []
        for words in lines(text) {
            guard words.dropFirst().contains(where: { $0.lowercased() == name }), let address = IPAddress(words[0]) else { continue }
            if !found.contains(address) { found.append(address) }
        }
        return found
    }

    /// The names beside an address, in lower case; none if the file has no such line.
    package func names(of address: IPAddress) -> [String] {
        guard let text = contents() else { return [] }
        var found: [String] = []
        for words in HostsFile.lines(text) where IPAddress(words[0]) == address {
            for name in words.dropFirst().map({ $0.lowercased() }) where !found.contains(name) && found.count < AddressNames.most { found.append(name) }
        }
        return found
    }

    /// An address and its names each.
    private static func lines(_ text: String) -> some Sequence<[Substring]> {
        text.split(whereSeparator: \.isNewline).lazy.map { $0.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace) }.filter { !$0.isEmpty }
    }

    private static func family(_ addresses: [IPAddress]) -> NameAnswer.Family {
        addresses.isEmpty ? .none(.noRecord) : .addresses(addresses, ttl: ttl)
    }

    private func contents() -> String? {
        do {
            let file = try Descriptor(opening: path, flags: O_RDONLY)
            let raw = file.raw
            var bytes: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 64 << 10)
            // Lists of unwanted hosts have a few MiB.
            while bytes.count < 16 << 20 {
                let count = try syscall("read", path) { read(raw, &chunk, chunk.count) }
                if count == 0 { break }
                bytes += chunk[..<count]
            }
            return String(decoding: bytes, as: UTF8.self)
        } catch {
            return nil
        }
    }
}
