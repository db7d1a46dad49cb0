// What the tests of this module say about policy, in few words.

import Linux
import Policy
import SallyportProtocol
import Support
import Testing

/// Objects applied at once, on the enforcer "node-1" of the host "host-1".
func snapshot(_ objects: PolicyObject..., sourceLocation: SourceLocation = #_sourceLocation) -> PolicySnapshot {
    var compiler = PolicyCompiler(enforcer: "node-1", hostname: "host-1")
    let errors = compiler.apply(upserts: objects, removes: []).filter { $0.severity == .error }
    #expect(errors.isEmpty, sourceLocation: sourceLocation)
    return compiler.compile()
}

extension PolicySnapshot {
    /// A local PU by its path.
    func unit(_ path: String) throws -> UnitPolicy {
        let key = PolicyKey(.processingUnit, path)
        return try #require(unit(UnitKey(namespace: key.namespace, name: key.name)))
    }

    /// Where a PU's connection to "ADDRESS:PORT" goes: "SERVICE", "SERVICE directly", or nil.
    func dialled(_ path: String, _ address: String) throws -> String? {
        try unit(path).service(dialled: try #require(SocketAddress(address))).map { $0.service.path + ($0.direct ? " directly" : "") }
    }

    /// What decides for the PU at `path`, as "allowed by /acme/rules#0"; the port is both the target and the dialled one.
    func decision(_ path: String, _ direction: Direction, _ peer: [String], port: UInt16 = 80) throws -> String {
        try unit(path).decide(direction, peer: intern(peer), ports: FlowPorts(target: port, dialled: port)).text
    }

    func decision(_ path: String, _ peer: [String]) throws -> String { try decision(path, .outgoing, peer) }

    /// The external network that "ADDRESS" is in for a PU.
    func network(_ address: String, for path: String) throws -> ExternalMatch? {
        let address = try #require(IPAddress(address))
        return try external(address, for: unit(path))
    }

    func service(_ path: String) throws -> Service { try #require(services.first { $0.path == path }) }
}

extension Decision {
    var text: String { "\(allowed ? "allowed" : "rejected") by \(decidedBy)" }
}

/// A peer that policy knows nothing else about.
let webTags = ["$identity=processingunit", "$name=web", "$namespace=/acme", "app=web"]
let anyone = [["$identity=processingunit"]]
