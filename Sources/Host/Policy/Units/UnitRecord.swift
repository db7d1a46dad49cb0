// A processing unit as it is kept: all of a cluster's are, so without what only local ones need.

import Linux
import SallyportProtocol

final class UnitRecord: Sendable {
    let namespace: Int32
    let name: String
    let type: UnitType
    /// The user's own.
    let tags: [String]
    let addresses: [IPAddress]
    /// Nil on PUs of other nodes.
    let local: Local?

    final class Local: Sendable, Equatable {
        let networkNamespace: UnitNetworkNamespace
        let cgroup: String
        let hostname: String

        init(networkNamespace: UnitNetworkNamespace, cgroup: String, hostname: String) {
            self.networkNamespace = networkNamespace
            self.cgroup = cgroup
            self.hostname = hostname
        }

        static func == (left: Local, right: Local) -> Bool {
            left.networkNamespace == right.networkNamespace && left.cgroup == right.cgroup && left.hostname == right.hostname
        }
    }

    init(namespace: Int32, name: String, type: UnitType, tags: [String], addresses: [IPAddress], local: Local?) {
        self.namespace = namespace
        self.name = name
        self.type = type
        self.tags = tags
        self.addresses = addresses
        self.local = local
    }

    /// All tags, sorted, each once.
    func allTags(_ tree: NamespaceTree) -> [String] {
        let path = tree[namespace].path
        let inherited = tree.settings[Int(namespace)].tags
        var all: [String] = []
        all.reserveCapacity(tags.count + inherited.count + 6)
        all += ["$id=\(join(path, name))", "$identity=processingunit", "$name=\(name)", "$namespace=\(path)"]
        switch type {
        case .host: all.append("$type=Host")
        case .hostService: all.append("$type=HostService")
        case .container: all.append("$type=Container")
        case .unspecified, .UNRECOGNIZED: break
        }
        if let local { all.append("@os:hostname=\(local.hostname)") }
        all += inherited
        all += tags
        all.sort()
        removeRepeats(&all)
        return all
    }
}

/// Where a PU's sockets live.
public enum UnitNetworkNamespace: Hashable, Sendable {
    /// The node's own.
    case host
    /// A file such as /run/netns/web, as setns(2) takes it.
    case path(String)
    case pid(Int32)
}

extension UnitRecord {
    /// - Parameters:
    ///   - enforcer: This enforcer's name: a PU is local if it has sockets here and its node is this one or not said.
    ///   - pool: Keeps one copy of each tag.
    convenience init(_ message: UnitMessage, name: String, namespace: Int32, enforcer: String, hostname: String, pool: inout Set<String>) {
        let place: UnitNetworkNamespace? =
            switch message.networkNamespace {
            case .networkNamespacePath(let path)?: .path(path)
            case .networkNamespacePid(let pid)?: .pid(pid)
            case nil: message.type == .host || message.type == .hostService ? .host : nil
            }
        let isHere = message.node.isEmpty || message.node == enforcer
        self.init(
            namespace: namespace, name: name, type: message.type, tags: message.tags.map { pool.insert($0).memberAfterInsert },
            addresses: message.addresses.compactMap { IPAddress($0) },
            local: isHere ? place.map { Local(networkNamespace: $0, cgroup: message.cgroup, hostname: hostname) } : nil)
    }

    /// The same PU where its namespace has another number.
    func moved(to namespace: Int32, pool: inout Set<String>) -> UnitRecord {
        UnitRecord(
            namespace: namespace, name: name, type: type, tags: tags.map { pool.insert($0).memberAfterInsert }, addresses: addresses,
            local: local)
    }
}

extension UnitRecord: Equatable {
    static func == (left: UnitRecord, right: UnitRecord) -> Bool {
        left.namespace == right.namespace && left.name == right.name && left.type == right.type && left.tags == right.tags
            && left.addresses == right.addresses && left.local == right.local
    }
}
