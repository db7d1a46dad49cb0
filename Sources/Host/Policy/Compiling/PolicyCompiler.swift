// Documents in, snapshots out.

import Linux
import PolicyDocuments
import SallyportProtocol

/// Holds the objects in force and compiles them. A bad object is refused where it comes in, and its last good version
/// stays in force; so compiling cannot fail.
public struct PolicyCompiler: Sendable {
    let enforcer: String
    let hostname: String
    var generation: UInt64 = 0

    /// Shared with the snapshots made of it.
    var state = PolicyState()
    var numbers = ObjectNumbers()
    /// The PUs that implement each service, by its number.
    var implementers: [Int32: Set<Int32>] = [:]
    /// The numbers of local PUs.
    var locals: Set<Int32> = []
    /// One copy of each tag of a PU.
    var tagPool: Set<String> = []
    /// Rises with each ruleset and dependency policy.
    var serial = 0
    /// How many objects were replaced or removed since everything was built.
    var retired = 0
    var pending = PendingChanges()
    var compiled = CompiledUnits()
    /// What is wrong with single documents, until they are mended or removed.
    private var problems: [DocumentName: [Problem]] = [:]

    /// - Parameters:
    ///   - enforcer: This enforcer's name, as in a PU's `node`.
    ///   - hostname: Becomes `@os:hostname=` of the local PUs.
    public init(enforcer: String, hostname: String) {
        self.enforcer = enforcer
        self.hostname = hostname
    }

    /// Takes a change in: `removes` first. Nothing is in force before `compile()`.
    ///
    /// - Returns: What is wrong with `upserts`. Those with an error are refused; snapshots repeat the problem until the
    ///   document is mended or removed.
    public mutating func apply(
        upserts: [Sallyport_Policy_V1_Object], removes: [Sallyport_Policy_V1_ObjectKey]
    ) -> [Sallyport_Policy_V1_Problem] {
        for key in removes {
            problems[DocumentName(key)] = nil
            remove(key)
        }
        var found: [Problem] = []
        for object in upserts {
            let these = check(object)
            found += these
            problems[DocumentName(object.key)] = these.isEmpty ? nil : these
            if !these.contains(where: { $0.severity == .error }) { install(object) }
        }
        return found
    }

    /// Sets the frontends of a service, as its adapter resolved them. Until the first call a service has the literal
    /// addresses of its document. A key that names no service in force is ignored.
    /// - Returns: Whether anything is another than before.
    @discardableResult
    public mutating func setFrontends(_ key: Sallyport_Policy_V1_ObjectKey, _ frontends: [Frontend]) -> Bool {
        guard let place = place(of: key), let number = numbers.services[place], state.services.setFrontends(number, frontends) else { return false }
        pending.touched.insert(number)
        return true
    }

    /// Sets the addresses that the names of an external network have, as they were resolved. A key that names none in force is ignored.
    /// - Returns: Whether anything is another than before.
    @discardableResult
    public mutating func setAddresses(_ key: Sallyport_Policy_V1_ObjectKey, _ addresses: [ResolvedAddress]) -> Bool {
        guard let place = place(of: key), let number = numbers.externalNetworks[place] else { return false }
        return setResolved(addresses, of: number)
    }

    /// Problems of documents, those of the first by name first.
    var documentProblems: [Problem] { problems.sorted { $0.key < $1.key }.flatMap(\.value) }
}

/// The numbers of objects by their names.
struct ObjectNumbers: Sendable {
    struct Place: Hashable, Sendable {
        var namespace: Int32
        var name: String
    }

    var units: [Place: Int32] = [:]
    var services: [Place: Int32] = [:]
    var dependencies: [Place: Int32] = [:]
    var rulesets: [Place: Int32] = [:]
    var externalNetworks: [Place: Int32] = [:]
}

/// What has changed since the last snapshot.
struct PendingChanges: Sendable {
    /// PUs whose services must be found.
    var units: Set<Int32> = []
    /// Services whose PUs must be found.
    var services: Set<Int32> = []
    /// Services that are dialled otherwise than before.
    var touched = NumberSet()
    /// Services that are new or gone.
    var comeOrGone = NumberSet()
    /// Which services there are has changed, or what selects them.
    var sight = false
    /// Services are new, gone or other versions.
    var serviceList = false
    var rulesets = false
    var dependencies = false
    var externalNetworks = false
    var localUnits = false
}

/// Names a document among all: a key, quickly hashed.
private struct DocumentName: Hashable, Comparable {
    let kind: Int
    let namespace: String
    let name: String

    init(_ key: ObjectKey) {
        kind = key.kind.rawValue
        namespace = key.namespace
        name = key.name
    }

    static func < (left: DocumentName, right: DocumentName) -> Bool {
        (left.namespace, left.name, left.kind) < (right.namespace, right.name, right.kind)
    }
}
