// Which objects select somebody, without asking every object: each clause is filed under one of the atoms it
// requires and the namespace its object lives in.

/// A number of a namespace and an atom.
struct ScopedAtom: FlatKey {
    var namespace: Int32
    var atom: UInt32

    var scrambled: UInt64 { scramble(UInt64(UInt32(bitPattern: namespace)) << 32 | UInt64(atom)) }
}

struct ScopedIndex: Sendable {
    struct Entry: Equatable, BitwiseCopyable, Sendable {
        /// The object's number.
        var object: Int32
        /// The clause's index in its selector.
        var clause: Int32
        /// The clause asks for nothing but the atom it is filed under.
        var isSettled: Bool
        /// The object holds below its namespace too.
        var propagates: Bool
    }

    private var table = MultiTable<ScopedAtom, Entry>()
    /// How many clauses each namespace has, by its number.
    private var population: [Int32] = []

    mutating func insert(_ selector: CompiledSelector, of object: Int32, in namespace: Int32, propagates: Bool) {
        for (index, clause) in selector.clauses.enumerated() {
            // The rarest, so that atoms which everybody satisfies gather few clauses.
            func users(_ atom: UInt32) -> Int { table.count(ScopedAtom(namespace: namespace, atom: atom)) }
            let anchor = clause.required.min { users($0) < users($1) } ?? TagAtoms.anything
            table.insert(
                ScopedAtom(namespace: namespace, atom: anchor), entry(clause, index, of: object, propagates: propagates))
        }
        while population.count <= Int(namespace) { population.append(0) }
        population[Int(namespace)] += Int32(selector.clauses.count)
    }

    mutating func remove(_ selector: CompiledSelector, of object: Int32, in namespace: Int32, propagates: Bool) {
        for (index, clause) in selector.clauses.enumerated() {
            let entry = entry(clause, index, of: object, propagates: propagates)
            let anchors = clause.required.isEmpty ? [TagAtoms.anything] : clause.required
            for anchor in anchors where table.remove(ScopedAtom(namespace: namespace, atom: anchor), entry) { break }
        }
        if Int(namespace) < population.count { population[Int(namespace)] -= Int32(selector.clauses.count) }
    }

    private func entry(_ clause: CompiledSelector.Clause, _ index: Int, of object: Int32, propagates: Bool) -> Entry {
        Entry(
            object: object, clause: Int32(index), isSettled: clause.required.count <= 1 && clause.excluded.isEmpty, propagates: propagates)
    }

    /// The objects that hold in a namespace and select somebody who satisfies `atoms`, each once, rising.
    ///
    /// - Parameter matches: Whether all of a clause is satisfied.
    func objects(
        holdingIn namespace: Int32, _ tree: NamespaceTree, selecting atoms: [UInt32], _ matches: (Entry) -> Bool
    ) -> [Int32] {
        var objects: [Int32] = []
        var place = namespace
        while place >= 0 {
            if Int(place) < population.count, population[Int(place)] > 0 {
                for atom in atoms {
                    table.forEach(ScopedAtom(namespace: place, atom: atom)) { entry in
                        if (entry.propagates || place == namespace) && (entry.isSettled || matches(entry)) { objects.append(entry.object) }
                    }
                }
            }
            place = tree[place].parent
        }
        if objects.count > 1 {
            objects.sort()
            removeRepeats(&objects)
        }
        return objects
    }
}
