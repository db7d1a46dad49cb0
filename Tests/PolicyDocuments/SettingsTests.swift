import PolicyDocuments
import Testing

@Suite("Files of settings")
struct SettingsTests {

    private func json(_ yaml: String, limit: Int = 1000) throws -> String {
        let form = Form<YAMLNode>.anything
        let root = try decodeSettings(Array(yaml.utf8), file: "f", as: form).get()
        return try root.json(path: "", file: "f", limit: limit)
    }

    @Test("YAML becomes the JSON that its core schema means", arguments: [
        ("{}", "{}"), ("", "{}"), ("# nothing", "{}"), ("a: [1, -2, +3, 0x1f, 0o17]", #"{"a":[1,-2,3,31,15]}"#),
        ("a: [1.5, .5, 5., 1e3, 1e400]", ""), ("a: [1.5, .5, 5., 1e3]", #"{"a":[1.5,0.5,5.0,1000.0]}"#),
        ("a: [true, False, null, ~, yes, no, 1.2.3]", #"{"a":[true,false,null,null,"yes","no","1.2.3"]}"#),
        (#"a: "1""#, #"{"a":"1"}"#), (#"a: "\t\"\\\x01é""#, "{\"a\":\"\\u0009\\\"\\\\\\u0001é\"}"),
        ("x: &x {b: 1}\ny: *x", #"{"x":{"b":1},"y":{"b":1}}"#), ("a: 010", ""), ("a: .nan", ""), ("a: 1\na: 2", ""), ("[a]: 1", ""),
    ])
    func text(_ yaml: String, _ expected: String) {
        #expect((try? json(yaml)) ?? "" == expected)
    }

    @Test("aliases cannot make a short text long")
    func limit() {
        let yaml = "a: &a \(String(repeating: "x", count: 500))\nb: [\(String(repeating: "*a, ", count: 50))]"
        #expect(throws: DocumentProblem.self) { try json(yaml) }
    }
}
