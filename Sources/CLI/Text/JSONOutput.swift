// JSON for `-o json`: the same names as in the protocol, every field always there.

import FlowFormat
import SallyportProtocol

extension JSONText {
    /// One JSON text and the end of its line.
    static func document(_ body: (inout JSONText) -> Void) -> String {
        var json = JSONText()
        body(&json)
        json.endLine()
        return String(decoding: json.bytes, as: UTF8.self)
    }

    mutating func object(_ body: (inout JSONText) -> Void) {
        beginObject()
        body(&self)
        endObject()
    }

    mutating func array<Element>(_ elements: some Sequence<Element>, _ body: (inout JSONText, Element) -> Void) {
        beginArray()
        for element in elements { body(&self, element) }
        endArray()
    }

    mutating func field(_ name: StaticString, _ value: String) {
        key(name)
        string(value)
    }

    mutating func field(_ name: StaticString, _ value: UInt64) {
        key(name)
        number(value)
    }

    mutating func field(_ name: StaticString, _ value: Bool) {
        key(name)
        boolean(value)
    }

    mutating func field(_ name: StaticString, _ values: [String]) {
        key(name)
        array(values) { json, value in json.string(value) }
    }

    mutating func problem(_ problem: Sallyport_Policy_V1_Problem) {
        object {
            $0.field("kind", problem.key.kind.word)
            $0.field("namespace", problem.key.namespace)
            $0.field("name", problem.key.name)
            $0.field("origin", problem.origin)
            $0.field("field", problem.field)
            $0.field("message", problem.message)
            $0.field("severity", problem.severity == .warning ? "warning" : "error")
        }
    }
}
