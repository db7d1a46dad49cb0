// What is known of a server before it is dialled: that it satisfies a clause of the service's target selector. It may
// have any other tag besides.

import PolicyDocuments

struct PresumedPeer: Sendable {
    /// Atoms that it satisfies for certain, sorted.
    let satisfied: [UInt32]
    /// Atoms that it does not satisfy for certain.
    private let excluded: [UInt32]
    private let tags: [String]
    private let derived: [UInt32: TagExpression]

    /// - Parameters:
    ///   - clause: A clause of the target selector.
    ///   - tags: What `clause` and the place of the service say of the tags of a PU that implements it.
    init(_ clause: CompiledSelector.Clause, tags: [String], atoms: TagAtoms) {
        var satisfied = atoms.satisfied(by: tags) + clause.required
        satisfied.sort()
        removeRepeats(&satisfied)
        self.satisfied = satisfied
        excluded = clause.excluded
        self.tags = tags
        derived = atoms.derived
    }

    /// Whether it is known not to satisfy an atom: the selector says so, or it has another value of a derived tag.
    func lacks(_ atom: UInt32) -> Bool {
        if excluded.contains(atom) { return true }
        if contains(satisfied, atom) { return false }
        guard let expression = derived[atom] else { return false }
        return tags.contains { $0.hasPrefix("\(expression.key)=") }
    }
}
