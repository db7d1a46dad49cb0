// From events to the nodes of one document at a time, with bounds on depth and on what aliases multiply.

/// Composes the documents of a text one by one, so that only one is in memory.
struct NodeComposer: ~Copyable {
    /// Our documents are 8 levels deep at most.
    static let maximumDepth = 32
    /// Aliases may add so many nodes to a document ("billion laughs" needs 10⁹).
    static let maximumAliased = 100_000

    private var events: YAMLEvents
    private var anchors: [String: YAMLNode] = [:]
    private var aliased = 0

    init(_ text: UnsafeBufferPointer<UInt8>) throws(YAMLBreak) {
        events = try YAMLEvents(text)
    }

    /// The next document's root; nil after the last. An empty document is a null node.
    mutating func nextDocument() throws(YAMLBreak) -> YAMLNode? {
        while true {
            switch try events.next().content {
            case .streamEnd: return nil
            case .documentStart:
                anchors = [:]
                aliased = 0
                let root = try compose(try events.next(), depth: 1)
                // Only what is read to its end counts.
                guard case .documentEnd = try events.next().content else { continue }
                return root
            default: continue
            }
        }
    }

    private mutating func compose(_ event: YAMLEvent, depth: Int) throws(YAMLBreak) -> YAMLNode {
        switch event.content {
        case .alias(let name):
            return resolve(name, event)
        case .scalar(let text, let isPlain, let tag, let anchor):
            return remember(anchor, YAMLNode(scalar(text, isPlain, tag), line: event.line, column: event.column))
        case .sequenceStart(let tag, let anchor):
            if depth == NodeComposer.maximumDepth { return try skip(event) }
            var items: [YAMLNode] = []
            while true {
                let item = try events.next()
                if case .sequenceEnd = item.content { break }
                items.append(try compose(item, depth: depth + 1))
            }
            return remember(anchor, collection(.sequence(items), tag, event))
        case .mappingStart(let tag, let anchor):
            if depth == NodeComposer.maximumDepth { return try skip(event) }
            var pairs: [(key: YAMLNode, value: YAMLNode)] = []
            while true {
                let key = try events.next()
                if case .mappingEnd = key.content { break }
                let name = try compose(key, depth: depth + 1)
                pairs.append((name, try compose(try events.next(), depth: depth + 1)))
            }
            return remember(anchor, collection(.mapping(pairs), tag, event))
        case .streamStart, .streamEnd, .documentStart, .documentEnd, .sequenceEnd, .mappingEnd:
            // libyaml's grammar puts none of these where a node belongs.
            return YAMLNode(.unusable("is not YAML"), line: event.line, column: event.column)
        }
    }

    /// An anchor counts from the end of its node on: a node never contains itself.
    private mutating func remember(_ anchor: String?, _ node: YAMLNode) -> YAMLNode {
        if let anchor { anchors[anchor] = node }
        return node
    }

    private mutating func resolve(_ name: String, _ event: YAMLEvent) -> YAMLNode {
        guard let node = anchors[name] else {
            return YAMLNode(
                .unusable("no &\(name) stands above this *\(name) in the document; define it, or put the text in quotes"),
                line: event.line, column: event.column)
        }
        aliased += node.weight
        guard aliased <= NodeComposer.maximumAliased else {
            return YAMLNode(
                .unusable("the aliases of this document stand for more than \(NodeComposer.maximumAliased) values; write them out"),
                line: event.line, column: event.column)
        }
        return node
    }

    private func scalar(_ text: String, _ isPlain: Bool, _ tag: String?) -> YAMLNode.Content {
        switch tag {
        case nil: .scalar(text, isPlain: isPlain)
        case "!", "tag:yaml.org,2002:str": .scalar(text, isPlain: false)
        case let tag?: .unusable(NodeComposer.tagAdvice(tag))
        }
    }

    private func collection(_ content: YAMLNode.Content, _ tag: String?, _ event: YAMLEvent) -> YAMLNode {
        YAMLNode(tag.map { .unusable(NodeComposer.tagAdvice($0)) } ?? content, line: event.line, column: event.column)
    }

    private static func tagAdvice(_ tag: String) -> String {
        // `- !10.0.0.0/8` is a YAML tag before empty text, and never what its author meant.
        tag.hasPrefix("!")
            ? "text that begins with ! must be in quotes: \"\(tag)\""
            : "YAML tags such as !!int are not used in documents; remove it"
    }

    /// Reads to the end of a collection that lies too deep, without keeping it or recursing.
    private mutating func skip(_ start: YAMLEvent) throws(YAMLBreak) -> YAMLNode {
        var open = 1
        while open > 0 {
            switch try events.next().content {
            case .sequenceStart, .mappingStart: open += 1
            case .sequenceEnd, .mappingEnd: open -= 1
            default: continue
            }
        }
        return YAMLNode(
            .unusable("is nested more than \(NodeComposer.maximumDepth) levels deep"), line: start.line, column: start.column)
    }
}
