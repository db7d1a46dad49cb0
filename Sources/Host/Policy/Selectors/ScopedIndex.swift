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
    }

    private var table = MultiTable<ScopedAtom, Entry>()
    /// How many clauses each namespace has, by its number.
    private var population: [Int32] = []

    mutating func insert(_ selector: CompiledSelector, of object: Int32, in namespace: Int32) {
        for (index, clause) in selector.clauses.enumerated() {
            // The rarest, so that atoms which everybody satisfies gather few clauses.
            let anchor = clause.required.min { table.count(ScopedAtom(namespace: namespace, atom: $0)) < table.count(ScopedAtom(namespace: namespace, atom: $1)) }
            table.insert(
                ScopedAtom(namespace: namespace, atom: anchor ?? TagAtoms.anything), Entry(object: object, clause: Int32(index)))
        }
        while population.count <= Int(namespace) { population.append(0) }
        population[Int(namespace)] += Int32(selector.clauses.count)
    }

    mutating func remove(_ selector: CompiledSelector, of object: Int32, in namespace: Int32) {
        for (index, clause) in selector.clauses.enumerated() {
            let entry = Entry(object: object, clause: Int32(index))
            let anchors = clause.required.isEmpty ? [TagAtoms.anything] : clause.required
            for anchor in anchors where table.remove(ScopedAtom(namespace: namespace, atom: anchor), entry) { break }
        }
        if Int(namespace) < population.count { population[Int(namespace)] -= Int32(selector.clauses.count) }
    }

    /// The objects of one namespace with a clause that `accepts`, each once, rising.
    func objects(
        in namespace: Int32, satisfying atoms: [UInt32], _ accepts: (Entry) -> Bool
    ) -> [Int32] {
        guard Int(namespace) < population.count, population[Int(namespace)] > 0 else { return [] }
        var objects: [Int32] = []
        for atom in atoms {
            table.forEach(ScopedAtom(namespace: namespace, atom: atom)) { if accepts($0) { objects.append($0.object) } }
        }
        if objects.count > 1 {
            objects.sort()
            removeRepeats(&objects)
        }
        return objects
    }
}
