// Which documents a policy source has supplied, so that a restart loses and keeps the right ones.

import SallyportProtocol

/// Follows a source's events. After `restart`, what it had before stays until it has sent everything there is, and what it
/// did not send again is removed then.
package struct PolicyMirror: Sendable {
    package typealias Key = Sallyport_Policy_V1_ObjectKey

    package init() {}

    private var known: Set<Key> = []
    /// While the first snapshot after a restart comes: what it has brought so far.
    private var seen: Set<Key>?

    /// A new watch begins.
    package mutating func restart() { seen = [] }

    /// - Returns: What to pass on, in order.
    package mutating func take(_ event: Sallyport_Plugin_V1_PolicyEvent) -> [Sallyport_Plugin_V1_PolicyEvent] {
        switch event.event {
        case .upsert(let object): insert(object.key)
        case .remove(let key): remove(key)
        case .batch(let batch):
            for object in batch.upserts { insert(object.key) }
            for key in batch.removes { remove(key) }
        case .complete:
            guard let seen else { break }
            let gone = known.subtracting(seen)
            known = seen
            self.seen = nil
            if !gone.isEmpty { return PolicyMirror.removals(gone) + [event] }
        case .problems, nil: break
        }
        return [event]
    }

    /// Everything goes: the source's drop-in was taken away.
    package mutating func removeAll() -> [Sallyport_Plugin_V1_PolicyEvent] {
        guard !known.isEmpty || seen != nil else { return [] }
        defer { (known, seen) = ([], nil) }
        return PolicyMirror.removals(known) + [.with { $0.problems = .init() }, .with { $0.complete = .init() }]
    }

    private mutating func insert(_ key: Key) {
        known.insert(key)
        seen?.insert(key)
    }

    private mutating func remove(_ key: Key) {
        known.remove(key)
        seen?.remove(key)
    }

    private static func removals(_ keys: Set<Key>) -> [Sallyport_Plugin_V1_PolicyEvent] {
        [.with { $0.batch.removes = Array(keys) }]
    }
}
