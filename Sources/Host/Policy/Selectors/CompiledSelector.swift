// A selector over atoms: OR of ANDs.

import PolicyDocuments
import SallyportProtocol

struct CompiledSelector: Hashable, Sendable {
    struct Clause: Hashable, Sendable {
        /// All must be satisfied.
        var required: [UInt32] = []
        /// None may be satisfied.
        var excluded: [UInt32] = []

        /// - Parameter atoms: What is satisfied, sorted, not empty.
        func matches(_ atoms: [UInt32]) -> Bool {
            for atom in required where !contains(atoms, atom) { return false }
            for atom in excluded where contains(atoms, atom) { return false }
            return true
        }
    }

    let clauses: [Clause]

    /// An empty clause, or one with an expression that is none, matches nothing.
    init(_ selector: SelectorMessage, atoms: inout TagAtoms) {
        clauses = parseClauses(selector).map { expressions in
            var clause = Clause()
            for expression in expressions {
                let atom = atoms.atom(expression)
                if expression.isNegated { clause.excluded.append(atom) } else { clause.required.append(atom) }
            }
            return clause
        }
    }

    /// Nothing matches when nothing is satisfied: negations too say something only of those who have tags.
    func matches(_ atoms: [UInt32]) -> Bool { !atoms.isEmpty && clauses.contains { $0.matches(atoms) } }
}

/// The expressions of each clause that can match.
func parseClauses(_ selector: SelectorMessage) -> [[TagExpression]] {
    selector.anyOf.compactMap { clause in
        let expressions = clause.allOf.compactMap { try? TagExpression($0) }
        return expressions.isEmpty || expressions.count < clause.allOf.count ? nil : expressions
    }
}

extension TagExpression {
    var isNegated: Bool {
        switch condition {
        case .notEquals, .absent: true
        case .equals, .present, .hasPrefix: false
        }
    }

    /// The tag that the expression asks for, where it asks for one.
    var tag: String? {
        if case .equals(let value) = condition { "\(key)=\(value)" } else { nil }
    }
}

/// A selector as people write it on one line: "app=web and tier=front, or app=cron".
func describe(_ selector: SelectorMessage) -> String {
    selector.anyOf.map { $0.allOf.joined(separator: " and ") }.joined(separator: ", or ")
}
