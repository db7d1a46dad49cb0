// sallyport reload, drain, log-level and metrics: one call each.

import ArgumentParser
import FlowFormat
import SallyportProtocol

struct ReloadCommand: DaemonCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload", abstract: "Read the configuration and the plugins' drop-ins again.",
        discussion: "What is wrong stays as it was. Exit status 1 if anything is.")

    @OptionGroup var connection: ConnectionOptions

    func run(_ daemon: ControlClient) async throws {
        let response: Sallyport_Control_V1_ReloadResponse = try await daemon.call("Reload", Sallyport_Control_V1_ReloadRequest())
        for problem in response.problems { warn(problem) }
        if !response.problems.isEmpty { throw ExitStatus.no }
    }
}

struct DrainCommand: DaemonCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain", abstract: "Take no new flows, and end the live ones in time.")

    @OptionGroup var connection: ConnectionOptions

    @Option(help: ArgumentHelp("When live flows are reset, like 30s or 5m. Default: as the daemon is configured.", valueName: "time"))
    var timeout: Period?

    func run(_ daemon: ControlClient) async throws {
        let seconds = (timeout?.nanoseconds ?? 0) / 1_000_000_000
        let request = Sallyport_Control_V1_DrainRequest.with { $0.timeout = UInt32(clamping: seconds) }
        let response: Sallyport_Control_V1_DrainResponse = try await daemon.call("Drain", request)
        try write("\(response.liveFlows) live flows\n")
    }
}

struct LogLevelCommand: DaemonCommand {
    enum Level: String, ExpressibleByArgument, CaseIterable {
        case trace, debug, info, notice, warning, error, critical
    }

    static let configuration = CommandConfiguration(
        commandName: "log-level", abstract: "Set what the daemon logs, until it is restarted.")

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "trace, debug, info, notice, warning, error or critical.")
    var level: Level

    func run(_ daemon: ControlClient) async throws {
        let _: Sallyport_Control_V1_SetLogLevelResponse = try await daemon.call(
            "SetLogLevel", Sallyport_Control_V1_SetLogLevelRequest.with { $0.level = level.rawValue })
    }
}

struct MetricsCommand: DaemonCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics", abstract: "Print the daemon's metrics in Prometheus's text format.")

    @OptionGroup var connection: ConnectionOptions

    func run(_ daemon: ControlClient) async throws {
        let response: Sallyport_Control_V1_MetricsResponse = try await daemon.call("Metrics", Sallyport_Control_V1_MetricsRequest())
        try write(response.text)
    }
}
