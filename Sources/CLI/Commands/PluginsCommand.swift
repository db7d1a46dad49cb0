// sallyport plugins: what supplies policy, certificates and frontends, and how it is doing.

import ArgumentParser
import FlowFormat
import SallyportProtocol

struct PluginsCommand: DaemonCommand {
    static let configuration = CommandConfiguration(
        commandName: "plugins", abstract: "List plugins: what supplies policy, certificates and frontends.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var format: OutputOptions

    func run(_ daemon: ControlClient) async throws {
        let response: Sallyport_Control_V1_ListPluginsResponse = try await daemon.call(
            "ListPlugins", Sallyport_Control_V1_ListPluginsRequest())
        switch format.output {
        case .json: try write(JSONText.document { $0.array(response.plugins, json) })
        case .text: try write(table(response.plugins).text(.standardOutput))
        }
    }

    private func table(_ plugins: [Sallyport_Control_V1_PluginStatus]) -> Table {
        var table = Table(
            ("NAME", .left), ("KIND", .left), ("STATE", .left), ("RUNS", .left), ("PID", .right), ("VERSION", .left),
            ("RESTARTS", .right), ("DROP-IN", .left), ("MESSAGE", .flexible))
        for plugin in plugins {
            table.add(
                .init(plugin.name), .init(plugin.kinds.map(\.word).joined(separator: ",")), .init(plugin.state.word, plugin.state.style),
                .init(plugin.isolation), .init(plugin.pid > 0 ? "\(plugin.pid)" : ""), .init(plugin.version),
                .init(plugin.restarts > 0 ? "\(plugin.restarts)" : ""), .init(plugin.dropIn), .init(plugin.message))
        }
        return table
    }

    private func json(_ json: inout JSONText, _ plugin: Sallyport_Control_V1_PluginStatus) {
        json.object {
            $0.field("name", plugin.name)
            $0.field("kinds", plugin.kinds.map(\.word))
            $0.field("state", plugin.state.word)
            $0.field("isolation", plugin.isolation)
            $0.field("pid", UInt64(max(0, plugin.pid)))
            $0.field("version", plugin.version)
            $0.field("restarts", UInt64(plugin.restarts))
            $0.field("required", plugin.required)
            $0.field("dropIn", plugin.dropIn)
            $0.field("message", plugin.message)
        }
    }
}

extension Sallyport_Plugin_V1_PluginKind {
    fileprivate var word: String {
        switch self {
        case .policySource: "policy-source"
        case .tlsProvider: "tls-provider"
        case .loadBalancerAdapter: "load-balancer-adapter"
        case .publicTls: "public-tls"
        case .unspecified, .UNRECOGNIZED: "unknown"
        }
    }
}

extension Sallyport_Control_V1_PluginStatus.State {
    fileprivate var word: String {
        switch self {
        case .starting: "starting"
        case .ready: "ready"
        case .degraded: "degraded"
        case .backoff: "backoff"
        case .failed: "failed"
        case .disabled: "disabled"
        case .UNRECOGNIZED: "unknown"
        }
    }

    fileprivate var style: Terminal.Style {
        switch self {
        case .ready: .good
        case .starting, .degraded: .warning
        case .backoff, .failed: .bad
        case .disabled, .UNRECOGNIZED: .dim
        }
    }
}
