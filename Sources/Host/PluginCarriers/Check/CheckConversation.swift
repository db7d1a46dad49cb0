// What a host says to a plugin, and what it does not expect to hear.

import CSallyportPlugin
import SallyportProtocol
import SwiftProtobuf
import TTRPC

/// One plugin, through one carrier, from Describe to Shutdown.
final class CheckConversation: Sendable {
    typealias Report = (_ check: String, _ outcome: CheckResult.Outcome, _ detail: String) -> Void

    static let unknownKey = "sallyport-check-unknown"
    /// No protobuf message: a tag that does not end.
    static let garbage: [UInt8] = [0xff, 0xff, 0xff, 0xff]
    static let patience = Duration.seconds(10)

    let channel: any RPCChannel
    let configuration: String

    init(_ channel: any RPCChannel, configuration: String) {
        self.channel = channel
        self.configuration = configuration
    }

    func run(_ report: Report) async {
        var kinds: [Sallyport_Plugin_V1_PluginKind] = []
        await check("Describe names the plugin, its version and its kinds", report) { kinds = try await self.describe() }
        await check("Describe is the same each time", report) { try await self.describeAgain() }
        await check("what it does not have is unimplemented", report) { try await self.unimplemented(kinds) }
        await check("a request that is no message is an invalid argument", report) { try await self.garbageRequests(kinds) }
        await check("a setting that it does not know is a problem", report) { try await self.unknownSetting() }
        await check("a configuration of nearly 4 MiB is answered", report) { try await self.largeConfiguration() }
        await check("a request over 4 MiB does not reach it", report) { try await self.oversizedRequest() }
        await check("Health answers before Configure", report) { try await self.health() }
        var isConfigured = false
        await check("Validate and Configure accept the configuration", report) {
            try await self.configure()
            isConfigured = true
        }
        await check("a refused configuration leaves it as it was", report) { try await self.refusedConfiguration(isConfigured) }
        if isConfigured {
            for kind in kinds { await checkKind(kind, report) }
        } else {
            report("its services", .skipped, "they need a configuration that it accepts: --config '{…}'")
        }
        await check("Health answers at the end", report) { try await self.health() }
        await check("Shutdown is answered", report) {
            let _: Sallyport_Plugin_V1_ShutdownResponse = try await self.call("Shutdown", Sallyport_Plugin_V1_ShutdownRequest())
        }
    }

    func check(_ name: String, _ report: Report, _ body: () async throws -> Void) async {
        do {
            try await body()
            report(name, .passed, "")
        } catch let broken as Broken {
            report(name, .failed, broken.found)
        } catch let skipped as Skipped {
            report(name, .skipped, skipped.reason)
        } catch {
            report(name, .failed, "\(error)")
        }
    }

    func call<Request: Message, Answer: Message>(_ method: String, _ request: Request) async throws -> Answer {
        try await channel.call(service: SALLYPORT_SERVICE_PLUGIN, method: method, request, timeout: CheckConversation.patience)
    }

    /// The code that a call ends with.
    func code(_ service: String, _ method: String, _ request: [UInt8]) async -> RPCCode {
        do {
            _ = try await channel.call(service: service, method: method, request: request, timeout: CheckConversation.patience)
            return .ok
        } catch {
            return (error as? RPCError)?.code ?? .unknown
        }
    }

    // MARK: Plugin

    private func describe() async throws -> [Sallyport_Plugin_V1_PluginKind] {
        let description: Sallyport_Plugin_V1_DescribeResponse = try await call("Describe", Sallyport_Plugin_V1_DescribeRequest())
        if description.name.isEmpty { throw Broken("the name is empty") }
        if description.version.isEmpty { throw Broken("the version is empty") }
        let known: [Sallyport_Plugin_V1_PluginKind] = [.policySource, .tlsProvider, .loadBalancerAdapter, .publicTls]
        if !description.kinds.contains(where: known.contains) { throw Broken("the kinds are \(description.kinds)") }
        if description.kinds.contains(.publicTls) != !description.publicTlsModes.isEmpty {
            throw Broken("it has \(description.publicTlsModes.count) modes of public TLS, and the kinds \(description.kinds)")
        }
        return description.kinds.filter(known.contains)
    }

    private func describeAgain() async throws {
        let first: Sallyport_Plugin_V1_DescribeResponse = try await call("Describe", Sallyport_Plugin_V1_DescribeRequest())
        let second: Sallyport_Plugin_V1_DescribeResponse = try await call("Describe", Sallyport_Plugin_V1_DescribeRequest())
        if first != second { throw Broken("two answers differ") }
    }

    private func unimplemented(_ kinds: [Sallyport_Plugin_V1_PluginKind]) async throws {
        var calls = [(SALLYPORT_SERVICE_PLUGIN, "SallyportCheck"), ("sallyport.check.v1.Nothing", "Describe")]
        if !kinds.contains(.tlsProvider) { calls.append((SALLYPORT_SERVICE_TLS_PROVIDER, "IssueProcessingUnit")) }
        if !kinds.contains(.loadBalancerAdapter) { calls.append((SALLYPORT_SERVICE_LOAD_BALANCER_ADAPTER, "UpdateServices")) }
        if !kinds.contains(.publicTls) { calls.append((SALLYPORT_SERVICE_PUBLIC_TLS, "UpdateServices")) }
        for (service, method) in calls {
            let code = await code(service, method, [])
            if code != .unimplemented { throw Broken("\(service)/\(method) ended with \(code)") }
        }
    }

    private func garbageRequests(_ kinds: [Sallyport_Plugin_V1_PluginKind]) async throws {
        var calls = [(SALLYPORT_SERVICE_PLUGIN, "Validate"), (SALLYPORT_SERVICE_PLUGIN, "Configure")]
        if kinds.contains(.tlsProvider) { calls.append((SALLYPORT_SERVICE_TLS_PROVIDER, "IssueProcessingUnit")) }
        if kinds.contains(.loadBalancerAdapter) { calls.append((SALLYPORT_SERVICE_LOAD_BALANCER_ADAPTER, "UpdateServices")) }
        if kinds.contains(.publicTls) { calls.append((SALLYPORT_SERVICE_PUBLIC_TLS, "UpdateServices")) }
        for (service, method) in calls {
            let code = await code(service, method, CheckConversation.garbage)
            if code != .invalidArgument { throw Broken("\(method) ended with \(code)") }
        }
    }

    private func health() async throws {
        let _: Sallyport_Plugin_V1_HealthResponse = try await call("Health", Sallyport_Plugin_V1_HealthRequest())
    }

    // MARK: Configuration

    private func validate(_ json: String) async throws -> [Sallyport_Plugin_V1_ConfigProblem] {
        let response: Sallyport_Plugin_V1_ValidateResponse = try await call(
            "Validate", Sallyport_Plugin_V1_ValidateRequest.with { $0.configJson = json })
        return response.problems
    }

    private func configure(_ json: String) async throws -> [Sallyport_Plugin_V1_ConfigProblem] {
        let response: Sallyport_Plugin_V1_ConfigureResponse = try await call(
            "Configure",
            Sallyport_Plugin_V1_ConfigureRequest.with {
                $0.configJson = json
                $0.host.enforcer = "sallyport-check"
                $0.host.trustDomain = "check.invalid"
                $0.host.stateDirectory = "/nonexistent"
            })
        return response.problems
    }

    private func unknownSetting() async throws {
        let problems = try await validate("{\"\(CheckConversation.unknownKey)\":1}")
        guard problems.contains(where: { $0.field == CheckConversation.unknownKey && !$0.message.isEmpty }) else {
            throw Broken("no problem has the field \(CheckConversation.unknownKey)")
        }
    }

    private func largeConfiguration() async throws {
        let filler = String(repeating: "x", count: Int(SALLYPORT_MESSAGE_MAX) - 1024)
        if try await validate("{\"\(CheckConversation.unknownKey)\":\"\(filler)\"}").isEmpty { throw Broken("it was accepted") }
    }

    private func oversizedRequest() async throws {
        let request = [UInt8](repeating: 0x20, count: Int(SALLYPORT_MESSAGE_MAX) + 1)
        let code = await code(SALLYPORT_SERVICE_PLUGIN, "Validate", request)
        if code != .resourceExhausted { throw Broken("the call ended with \(code)") }
    }

    private func configure() async throws {
        for (step, problems) in [("Validate", try await validate(configuration)), ("Configure", try await configure(configuration))] {
            guard problems.isEmpty else {
                let found = problems.map { "\($0.field): \($0.message)" }.joined(separator: "; ")
                if configuration == "{}" { throw Skipped("it needs settings (\(found)): --config '{…}'") }
                throw Broken("\(step): \(found)")
            }
        }
        if try await !configure(configuration).isEmpty { throw Broken("the same configuration was refused the second time") }
    }

    private func refusedConfiguration(_ wasConfigured: Bool) async throws {
        let before: Sallyport_Plugin_V1_HealthResponse = try await call("Health", Sallyport_Plugin_V1_HealthRequest())
        if try await configure("{\"\(CheckConversation.unknownKey)\":1}").isEmpty { throw Broken("Configure accepted an unknown setting") }
        let after: Sallyport_Plugin_V1_HealthResponse = try await call("Health", Sallyport_Plugin_V1_HealthRequest())
        if wasConfigured && before.ready && !after.ready { throw Broken("it is not ready any longer: \(after.message)") }
    }
}
