import Linux
import PluginKit
import PluginSupport
import TLSNone
import Testing

@Suite("Public ports that pass bytes as they are", .timeLimit(.minutes(1)))
struct TLSNoneTests {
    @Test("each service passes as it is, those that come later too, and a watch is complete without any")
    func passthrough() async throws {
        let thread = try SerialThread(name: "test")
        defer { thread.stop() }
        let plugin = TLSNone(host: PluginHostHandle(thread: thread) { _, _ in })
        try await plugin.updateServices(.with { $0.replaceAll = true })
        let watch = CertificateWatch(plugin)
        try await plugin.updateServices(.with { $0.upserts = [publicService("raw", mode: .none)] })
        let certificate = try await watch.certificate(of: "raw")
        #expect(certificate.passthrough && certificate.chain.isEmpty && certificate.privateKey.isEmpty && certificate.problem.isEmpty)
        #expect(watch.completes == 1)
        // What was removed is not told again to a second watch.
        try await plugin.updateServices(.with { $0.removes = [publicService("raw", mode: .none).key] })
        try await plugin.updateServices(.with { $0.upserts = [publicService("other", mode: .none)] })
        let second = CertificateWatch(plugin)
        _ = try await second.certificate(of: "other")
        #expect(second["raw"] == nil)
    }
}
