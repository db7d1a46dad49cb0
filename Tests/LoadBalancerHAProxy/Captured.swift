// What HAProxy 2.6.12 answered, byte by byte (Captures/).

import Linux
import LoadBalancerHAProxy
import Support

enum Captured {
    static func bytes(_ name: String) throws -> [UInt8] {
        var bytes: [UInt8] = []
        let file = try Descriptor(opening: "\(PluginWorkshop.repository)/Tests/LoadBalancerHAProxy/Captures/\(name)", flags: O_RDONLY)
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = try syscall("read", name) { read(file.raw, &chunk, chunk.count) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
    }

    static func snapshot() throws -> Snapshot {
        try Snapshot(
            proxies: ProxyTable(bytes("show-stat.csv")), listeners: ListenerTable(bytes("show-fd.txt")),
            process: ProcessFacts(bytes("show-info.txt")))
    }
}
