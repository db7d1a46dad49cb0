// What flow records share: the two ends, and the rules that decided. Made once, referenced by many records.

import FlowFormat
import SallyportProtocol
import Synchronization

/// One end of flows: a processing unit or an external network, with its tags.
///
/// Make one for each unit, peer identity or external network and reuse it: a record then costs a reference.
public final class FlowParty: Sendable {
    public typealias Kind = Sallyport_Flow_V1_Endpoint.TypeEnum

    /// As records carry it.
    public let endpoint: Sallyport_Flow_V1_Endpoint
    /// Bytes it adds to an encoded record, about.
    let weight: Int
    private let text = TextOnce()

    public init(kind: Kind, namespace: String, name: String, tags: [String]) {
        endpoint = .with {
            $0.type = kind
            $0.namespace = namespace
            $0.name = name
            $0.tags = tags
        }
        weight = tags.reduce(namespace.utf8.count + name.utf8.count) { $0 + $1.utf8.count + 3 }
    }

    /// As lines of the log have it.
    var json: [UInt8] { text.value { FlowJSONParts.endpoint(endpoint) } }

    /// The end of which only the address is known.
    public static let unknown = FlowParty(kind: .unknown, namespace: "", name: "", tags: [])
}

/// A rule, or a namespace's default action, that decided flows.
public final class FlowRule: Sendable {
    /// As records carry it.
    public let decidedBy: Sallyport_Flow_V1_DecidedBy
    private let text = TextOnce()

    /// As lines of the log have it.
    var json: [UInt8] { text.value { FlowJSONParts.rule(decidedBy) } }

    /// A rule of a ruleset.
    /// - Parameter rule: Its name, or "#" and its index from 0.
    public init(namespace: String, ruleset: String, rule: String) {
        decidedBy = .with {
            $0.namespace = namespace
            $0.ruleset = ruleset
            $0.rule = rule
        }
    }

    /// The default action that `namespace` sets.
    public init(defaultOf namespace: String) { decidedBy = .with { $0.namespace = namespace } }

    /// Reads what `path` writes; a peer tells its rule in this form (docs/protocol.md, "Answer").
    public init?(path: String) {
        guard !path.isEmpty else { return nil }
        guard let hash = path.firstIndex(of: "#"), let slash = path[..<hash].lastIndex(of: "/") else {
            decidedBy = .with { $0.namespace = path }
            return
        }
        decidedBy = .with {
            $0.namespace = slash == path.startIndex ? "/" : String(path[..<slash])
            $0.ruleset = String(path[path.index(after: slash)..<hash])
            $0.rule = String(path[path.index(after: hash)...])
        }
    }

    /// "NAMESPACE/RULESET#RULE", or the bare namespace for its default action.
    public var path: String {
        decidedBy.ruleset.isEmpty
            ? decidedBy.namespace
            : "\(decidedBy.namespace == "/" ? "" : decidedBy.namespace)/\(decidedBy.ruleset)#\(decidedBy.rule)"
    }
}

/// Text that is made when it is first asked for: of many parties and rules no record is ever written.
private struct TextOnce: ~Copyable, Sendable {
    private let made = Mutex<[UInt8]?>(nil)

    func value(_ make: () -> [UInt8]) -> [UInt8] {
        made.withLock { made in
            if let made { return made }
            let text = make()
            made = text
            return text
        }
    }
}
