// A selector over atoms: OR of ANDs.

import SallyportProtocol

struct CompiledSelector: Hashable, Sendable {
    struct Clause: Hashable, Sendable {
        /// All must be satisfied.
        var required: [UInt32] = []
        /// None may be satisfied.
        var excluded: [UInt32] = []
    }

    private(set) var clauses: [Clause] = []

    /// An empty clause, or one with a malformed expression, matches nothing and is left out.
    init(_ selector: Sallyport_Policy_V1_Selector, atoms: inout TagAtoms) {
        for clause in selector.anyOf {
            let expressions = clause.allOf.compactMap { TagExpression($0) }
            guard !expressions.isEmpty, expressions.count == clause.allOf.count else { continue }
            var compiled = Clause()
            for expression in expressions {
                let atom = atoms.atom(expression)
                if expression.negated { compiled.excluded.append(atom) } else { compiled.required.append(atom) }
            }
            clauses.append(compiled)
        }
    }

    /// - Parameter atoms: What is satisfied, sorted. Nothing matches when it is empty.
    func matches(_ atoms: [UInt32]) -> Bool {
        guard !atoms.isEmpty else { return false }
        return clauses.contains { clause in
            clause.required.allSatisfy { contains(atoms, $0) } && !clause.excluded.contains { contains(atoms, $0) }
        }
    }
}

/// Binary search in a sorted list.
func contains(_ sorted: [UInt32], _ atom: UInt32) -> Bool {
    var low = 0
    var high = sorted.count
    while low < high {
        let middle = (low + high) / 2
        if sorted[middle] < atom { low = middle + 1 } else { high = middle }
    }
    return low < sorted.count && sorted[low] == atom
}
