// The namespaces that documents name or only refer to, numbered. The root is 0, and a namespace has a higher number
// than the one above it.

import SallyportProtocol

/// What documents may have at most (`checkNamespacePath`).
private let maximumNamespacePath = 1024

struct NamespaceTree: Sendable {
    struct Node: Sendable {
        let path: String
        /// -1 above the root.
        let parent: Int32
        let depth: Int32
    }

    private(set) var nodes: [Node] = [Node(path: "/", parent: -1, depth: 0)]
    private var numbers: [String: Int32] = ["/": 0]
    private var documents: [Int32: NamespaceMessage] = [:]
    /// Of each node, by number; one object where nothing differs from the namespace above.
    private(set) var settings: [NamespaceSettings] = [NamespaceSettings()]
    private let rootSettings: NamespaceSettings
    /// Nodes whose document has changed since the last `refresh()`.
    private var stale: Set<Int32> = []

    init() { rootSettings = settings[0] }

    /// How many namespaces have a document.
    var documentCount: Int { documents.count }

    subscript(namespace: Int32) -> Node { nodes[Int(namespace)] }

    /// The number of a namespace, which exists from now on.
    mutating func number(_ path: String) -> Int32 {
        if let known = numbers[path] { return known }
        let above = parent(of: path).map { self.number($0) } ?? 0
        let number = Int32(nodes.count)
        nodes.append(Node(path: path, parent: above, depth: self[above].depth + 1))
        settings.append(settings[Int(above)])
        numbers[path] = number
        // Its parent may itself wait for its new settings.
        if stale.contains(above) { stale.insert(number) }
        return number
    }

    func find(_ path: String) -> Int32? { numbers[path] }

    /// The namespace `path`, or the nearest above it that is known; -1 if it is no path. A peer may send any text here.
    func nearest(_ path: String) -> (number: Int32, isExact: Bool) {
        if let known = numbers[path] { return (known, true) }
        guard path.hasPrefix("/"), path.utf8.count <= maximumNamespacePath else { return (-1, false) }
        var above = parent(of: path)
        while let candidate = above {
            if let known = numbers[candidate] { return (known, false) }
            above = parent(of: candidate)
        }
        return (-1, false)
    }

    /// Gives a namespace its document, or takes it away.
    mutating func setDocument(_ namespace: Int32, _ document: NamespaceMessage?) {
        documents[namespace] = document
        stale.insert(namespace)
    }

    func document(_ namespace: Int32) -> NamespaceMessage? { documents[namespace] }

    /// Works inheritance out after documents have changed.
    /// - Returns: The namespaces whose settings are new ones.
    mutating func refresh() -> Set<Int32> {
        guard !stale.isEmpty else { return [] }
        var changed: Set<Int32> = []
        for number in nodes.indices.map(Int32.init) {
            let node = self[number]
            guard stale.contains(number) || changed.contains(node.parent) else { continue }
            let above = node.parent < 0 ? rootSettings : settings[Int(node.parent)]
            settings[Int(number)] = documents[number].map { NamespaceSettings($0, path: node.path, above: above) } ?? above
            changed.insert(number)
        }
        stale = []
        return changed
    }

    /// Whether `namespace` is `other` or lies below it.
    @inline(__always)
    func isWithin(_ namespace: Int32, _ other: Int32) -> Bool {
        var current = namespace
        // Numbers fall on the way up.
        while current > other { current = nodes[Int(current)].parent }
        return current == other
    }

    /// Whether an object of `namespace` holds in `place`: there, and with `propagates` below; never above or beside.
    @inline(__always)
    func holds(_ namespace: Int32, propagates: Bool, in place: Int32) -> Bool {
        namespace == place || propagates && isWithin(place, namespace)
    }

    /// Steps between two namespaces, by way of the nearest that is above both.
    func distance(_ one: Int32, _ other: Int32) -> Int {
        var (one, other, steps) = (one, other, 0)
        while one != other {
            if one > other { one = self[one].parent } else { other = self[other].parent }
            steps += 1
        }
        return steps
    }
}
