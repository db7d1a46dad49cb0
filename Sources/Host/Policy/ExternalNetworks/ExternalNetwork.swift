// An external network in force.

import Linux
import PolicyDocuments
import SallyportProtocol

final class ExternalNetwork: Sendable {
    let id: Int32
    let namespace: String
    let scope: Int32
    let name: String
    let propagates: Bool
    /// All its tags: `$…` derived ones and its own, sorted.
    let tags: [String]
    /// The addresses that its names have now.
    let resolved: [ResolvedAddress]
    let included: [CIDR]
    let excluded: [CIDR]
    /// The domains of its wildcards: "example.com" of "*.example.com".
    let domains: [String]
    /// What its exclusions take out of its blocks; nil where it has no name that could bring one of these back.
    private let exclusions: AddressRanges?
    let message: ExternalNetworkMessage

    init(id: Int32, namespace: String, scope: Int32, name: String, message: ExternalNetworkMessage, resolved: [ResolvedAddress]) {
        self.id = id
        self.namespace = namespace
        self.scope = scope
        self.name = name
        self.message = message
        propagates = message.propagate
        tags = (["$identity=externalnetwork", "$name=\(name)", "$namespace=\(namespace)"] + message.tags).sorted()
        let entries = message.entries.compactMap { try? ExternalEntry($0) }
        // A name that is gone takes its addresses with it, whatever is told later.
        let names: [String] = resolved.isEmpty ? [] : entries.compactMap { if case .name(let name) = $0 { name } else { nil } }
        self.resolved = resolved.filter { names.contains($0.name) }
        domains = entries.compactMap { if case .namesBelow(let domain) = $0 { domain } else { nil } }
        excluded = entries.compactMap { if case .exclusion(let cidr) = $0 { cidr } else { nil } }
        let written = entries.compactMap { if case .network(let cidr) = $0 { cidr } else { nil } }
        let isNamed = !self.resolved.isEmpty || !domains.isEmpty
        // Turned round: who has what is excluded, and not what is included again inside.
        let exclusions = isNamed && !excluded.isEmpty ? AddressRanges([.init(number: id, included: excluded, excluded: written)]) : nil
        self.exclusions = exclusions
        included = written + self.resolved.compactMap { exclusions?.find($0.address).network == id ? nil : CIDR($0.address) }
    }

    /// Whether it says that it does not have an address, whatever names this has.
    func excludes(_ address: IPAddress) -> Bool { exclusions?.find(address).network == id }
}

/// An address that a name of an external network has.
public struct ResolvedAddress: Sendable, Equatable {
    /// As the network's document has it, in lower case.
    public let name: String
    public let address: IPAddress

    public init(name: String, address: IPAddress) {
        self.name = name
        self.address = address
    }
}

/// The external network that an address belongs to.
public struct ExternalMatch: Sendable {
    /// For decisions.
    public let tags: PeerTags
    let network: ExternalNetwork

    public var namespace: String { network.namespace }
    public var name: String { network.name }
    /// All its tags: `$…` derived ones and its own, sorted.
    public var externalTags: [String] { network.tags }
}
