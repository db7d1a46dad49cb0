// A piece of a document as it was written, with its place, before it means anything.

/// A YAML node. Nodes are shared where the text uses aliases.
public final class YAMLNode: Sendable {
    public enum Content: Sendable {
        /// Text, and whether it stood without quotes (then it may be a number, a boolean or null).
        case scalar(String, isPlain: Bool)
        case sequence([YAMLNode])
        case mapping([(key: YAMLNode, value: YAMLNode)])
        /// Something that cannot be used, and why.
        case unusable(String)
    }

    public let content: Content
    /// From 1.
    public let line: Int
    /// In characters, from 1.
    public let column: Int
    /// How many nodes a walk from here would meet: bounds what aliases can multiply.
    let weight: Int

    init(_ content: Content, line: Int, column: Int) {
        self.content = content
        self.line = line
        self.column = column
        weight = switch content {
        case .scalar, .unusable: 1
        case .sequence(let items): items.reduce(1) { $0 + $1.weight }
        case .mapping(let pairs): pairs.reduce(1) { $0 + $1.key.weight + $1.value.weight }
        }
    }

    /// The value of `name` in a mapping; nil if there is none.
    func child(_ name: some StringProtocol) -> YAMLNode? {
        guard case .mapping(let pairs) = content else { return nil }
        return pairs.first { pair in
            if case .scalar(let text, _) = pair.key.content { text == name } else { false }
        }?.value
    }

    /// The node at "spec.incoming[1].ports[0]", or the last one on the way to it that exists.
    public func nearest(to path: String) -> YAMLNode {
        var node = self
        for part in path.split(whereSeparator: { $0 == "." || $0 == "[" }) {
            if part.last == "]" {
                guard case .sequence(let items) = node.content, let index = Int(part.dropLast()), items.indices.contains(index)
                else { return node }
                node = items[index]
            } else if let next = node.child(part) {
                node = next
            } else {
                return node
            }
        }
        return node
    }
}
