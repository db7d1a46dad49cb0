// The demonstration as a test: the shipped daemon, plugins, command and examples, and what it promises to show.

import Foundation
import Support
import Testing

@Suite(.enabled(if: Network.isPossible, "needs root, to make network namespaces"), .serialized)
struct DemoTests {
    /// The folder of the package: this file is in Tests/EndToEnd.
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    @Test("two nodes: the client is served over TLS 1.3 on both IP versions, the visitor is refused, and both are recorded and explained")
    func demo() throws {
        // Not Foundation's Process: it hands on the signals that a thread of libdispatch blocks, and the script could end nothing it started.
        let demo = try NetworkProgram.run(DemoTests.root.appendingPathComponent("scripts/demo").path, [], in: nil, timeout: 120)
        let output = demo.output + demo.errors
        #expect(demo.status == 0, "\(output)")
        #expect(output.contains("hello from server"))
        #expect(output.contains("the secret seen in clear 0 times"))
        #expect(output.contains("🔒"))
        #expect(output.contains("/demo/visitor"))
        #expect(output.contains("default-reject"))
        // Nothing is left behind.
        let left = try FileManager.default.contentsOfDirectory(atPath: "/run/netns").filter { $0.hasPrefix("sallyport-demo") }
        #expect(left.isEmpty)
    }
}
