// All that the source holds at one moment, and what a watcher must hear to get there from another.

import PluginKit
import PolicyDocuments
import SallyportProtocol

package struct PolicyState: Sendable, Equatable {
    package var objects: [Sallyport_Policy_V1_ObjectKey: Sallyport_Policy_V1_Object] = [:]
    package var problems: [Sallyport_Policy_V1_Problem] = []
    /// Whether the directory has been read. Until then nothing is known, which is not the same as no policy.
    package var isKnown = false
    /// What is wrong with the directory itself; empty if nothing is.
    package var trouble = ""

    package init() {}

    /// Below the 4 MiB of a message, and above the 3 MiB of the largest object.
    private static let batchBytes = 7 << 19
    /// More would fill a screen and a message for nothing.
    private static let maximumProblems = 1000

    /// The events that turn `earlier` into this state.
    package func events(since earlier: PolicyState, generation: UInt64) -> [PolicyEvent] {
        var events: [PolicyEvent] = []
        var batch = PolicyEvent.Batch()
        var bytes = 0
        func flush() {
            if !batch.upserts.isEmpty || !batch.removes.isEmpty { events.append(.with { $0.batch = batch }) }
            batch = PolicyEvent.Batch()
            bytes = 0
        }
        func makeRoom(for count: Int) {
            if bytes + count > PolicyState.batchBytes { flush() }
            bytes += count
        }
        for (key, object) in objects where earlier.objects[key] != object {
            makeRoom(for: PolicyState.size(of: object))
            batch.upserts.append(object)
        }
        for key in earlier.objects.keys where objects[key] == nil {
            makeRoom(for: key.namespace.utf8.count + key.name.utf8.count + 16)
            batch.removes.append(key)
        }
        flush()
        if problems != earlier.problems { events.append(.with { $0.problems.problems = shownProblems }) }
        if isKnown && (!earlier.isKnown || !events.isEmpty) { events.append(.with { $0.complete.generation = generation }) }
        return events
    }

    private var shownProblems: [Sallyport_Policy_V1_Problem] {
        let rest = problems.count - PolicyState.maximumProblems
        guard rest > 0 else { return problems }
        return problems.prefix(PolicyState.maximumProblems) + [.with { $0.message = "there are \(rest) more problems; mend the first ones" }]
    }

    private static func size(of object: Sallyport_Policy_V1_Object) -> Int {
        let bytes: [UInt8]? = try? object.serializedBytes()
        return (bytes?.count ?? 0) + 8
    }
}
