// A queue whose ends cost the same however long it is.

/// First in, first out.
struct FIFO<Element> {
    private var elements: [Element?] = []
    private var head = 0

    var isEmpty: Bool { head == elements.count }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func popFirst() -> Element? {
        guard head < elements.count else { return nil }
        let first = elements[head]
        elements[head] = nil
        head += 1
        // The consumed half goes when it outgrows the rest, and the storage when nothing is left.
        if head == elements.count {
            elements = []
            head = 0
        } else if head > 32 && head > elements.count / 2 {
            elements.removeFirst(head)
            head = 0
        }
        return first
    }

    /// Takes out those that `matches` picks, in order.
    mutating func remove(where matches: (Element) -> Bool) -> [Element] {
        if isEmpty { return [] }
        let waiting = elements[head...].compactMap { $0 }
        elements = waiting.filter { !matches($0) }
        head = 0
        return waiting.filter(matches)
    }
}
