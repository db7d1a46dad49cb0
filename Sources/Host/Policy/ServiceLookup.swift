// From a dialled address to the service that one PU sees there.

import Linux

struct ServiceLookup: Sendable {
    struct Key: Hashable, Sendable {
        var base: IPAddress
        var prefix: Int
        var port: UInt16
    }

    var frontends: [Key: Service] = [:]
    var direct: [SocketAddress: Service] = [:]
    /// Longest first.
    var prefixes: [Int] = []

    func find(_ dialled: SocketAddress) -> DialledService? {
        for prefix in prefixes {
            let base = CIDR(dialled.address, prefix: prefix).base
            if let service = frontends[Key(base: base, prefix: prefix, port: dialled.port)] {
                return DialledService(service: service, direct: false)
            }
        }
        return direct[dialled].map { DialledService(service: $0, direct: true) }
    }
}
