// Checks that several kinds of object need: keys, tags, selectors, TLS servers.

import SallyportProtocol

extension Checks {
    /// The tags of a PU, those of its namespaces and the derived ones share 16 KiB of its certificate.
    private static let maximumTags = 128
    private static let maximumTagBytes = 8192

    mutating func check(_ key: ObjectKey) {
        if key.kind.documentName == Kind.unspecified.documentName { fail("kind", "is missing or unknown") }
        if key.kind == .namespace && key.name == "/" {
            if !key.namespace.isEmpty { fail("metadata.namespace", "the root namespace lies in no other; leave this out") }
            return
        }
        attempt("metadata.namespace") { () throws(SyntaxProblem) in try checkNamespacePath(key.namespace) }
        attempt("metadata.name") { () throws(SyntaxProblem) in
            if key.kind == .namespace && key.name.contains("/") {
                throw SyntaxProblem("\(quoted(key.name)) must be the last part of the path alone; its parent goes into metadata.namespace")
            }
            try checkName(key.name)
        }
    }

    mutating func tags(_ tags: [String], at field: String = "spec.tags") {
        guard tags.count <= Checks.maximumTags, tags.reduce(0, { $0 + $1.utf8.count }) <= Checks.maximumTagBytes else {
            fail(field, "has more than \(Checks.maximumTags) tags or \(Checks.maximumTagBytes) bytes; certificates hold no more")
            return
        }
        each(tags, at: field) { text throws(SyntaxProblem) in try Tag(ofUser: text) }
    }

    mutating func selector(_ selector: Selector, at field: String) {
        if selector.anyOf.isEmpty { fail(field, "selects nothing; give at least one list of tags, such as [[app=web]]") }
        for (index, clause) in selector.anyOf.enumerated() {
            let place = "\(field)[\(index)]"
            if clause.allOf.isEmpty { fail(place, "is empty; give at least one tag, such as [app=web]") }
            let elements = each(clause.allOf, at: place) { text throws(SyntaxProblem) in try TagExpression(text) }
            contradiction(among: elements.map(\.value), at: place)
        }
    }

    /// A clause that nothing can match is a slip, and a silent one: a Reject rule would be without effect.
    private mutating func contradiction(among elements: [TagExpression], at field: String) {
        let wanted = Set(elements)
        for element in elements {
            let key = element.key
            switch element.condition {
            case .absent:
                let present = elements.contains { other in
                    switch other.condition {
                    case .equals, .present, .hasPrefix: other.key == key
                    case .absent, .notEquals: false
                    }
                }
                if present { fail(field, "never matches: it asks that \(quoted(key)) is absent and that it is there") }
            case .notEquals(let value):
                if wanted.contains(where: { $0.key == key && $0.condition == .equals(value) }) {
                    fail(field, "never matches: it asks for \(quoted("\(key)=\(value)")) and for its opposite")
                }
            case .equals, .present, .hasPrefix: break
            }
        }
    }

    mutating func server(_ server: TCPService.ServerTLS, at field: String) {
        if !server.serverName.isEmpty {
            attempt("\(field).serverName") { () throws(SyntaxProblem) in
                if (try? parseAddress(server.serverName)) == nil { try parseDomainName(server.serverName) }
            }
        }
        if !server.caBundle.isEmpty {
            attempt("\(field).caBundle") { () throws(SyntaxProblem) in try checkCertificates(server.caBundle) }
        }
    }
}
