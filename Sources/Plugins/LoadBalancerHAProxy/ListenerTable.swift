// Which frontends listen on which ports, from "show fd": the one answer that tells it of every HAProxy.

/// The TCP ports that frontends listen on. A value without I/O.
package struct ListenerTable: Sendable, Equatable {
    package private(set) var frontends: [UInt16: Set<String>] = [:]

    /// Lines of descriptors that are no listeners are skipped, and so is a last one that is cut off: HAProxy opens its
    /// listeners before it has connections, and lists them first.
    ///
    ///     4 : st=0x100023(…) … l.st=RDY fe=shop fam=ipv4 lport=8001
    package init(_ answer: [UInt8]) throws(Malformed) {
        var isList = false
        let end = answer.lastIndex(of: UInt8(ascii: "\n")) ?? answer.startIndex
        for line in answer[..<end].split(separator: UInt8(ascii: "\n")) {
            let words = line.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
            guard words.count > 2, UInt32(words[0]) != nil, words[1] == ":" else { continue }
            isList = true
            func value(_ name: String) -> String? { words.first { $0.hasPrefix(name) }.map { String($0.dropFirst(name.count)) } }
            // A connection has its own port there, and no state of a listener.
            guard value("l.st=") != nil, let frontend = value("fe="), let port = value("lport=").flatMap({ UInt16($0) }) else { continue }
            frontends[port, default: []].insert(frontend)
        }
        // HAProxy's own socket is a descriptor.
        if !isList { throw Malformed(reason: "begins with \(firstLine(of: answer))") }
    }
}
