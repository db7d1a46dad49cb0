// sallyport flows: what was let through and what was not.

import ArgumentParser
import FlowFormat
import Linux
import SallyportProtocol

struct FlowsCommand: DaemonCommand {
    enum Format: String, ExpressibleByArgument, CaseIterable {
        case text, wide, json
    }

    static let configuration = CommandConfiguration(
        commandName: "flows", abstract: "Show flows: who talked to whom, encrypted or not, and what was refused.",
        discussion: """
            Without --follow, shows what the daemon holds in memory. Bytes are sent/received, seen from the source. \
            All fields are in -o json, one record a line.
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var filter: FlowFilter

    @Option(name: [.short, .long], help: "How to print: text, wide or json (a record a line).")
    var output = Format.text
    @Flag(name: [.short, .long], help: "Go on with new flows as they end.")
    var follow = false
    @Option(help: ArgumentHelp("Only since then: 10m, 2h, 1d, or a time like 2026-03-01T09:05:00Z.", valueName: "time"))
    var since: Since?
    @Option(name: [.customShort("n"), .long], help: ArgumentHelp("At most so many, the newest ones.", valueName: "count"))
    var limit: UInt32?

    func validate() throws {
        if limit == 0 { throw ValidationError("--limit must be above 0.") }
    }

    func run(_ daemon: ControlClient) async throws {
        // To follow is to see what is new; what was before needs --since.
        let start = since?.nanoseconds ?? (follow ? clinux_realtime() : 0)
        let request = Sallyport_Control_V1_WatchFlowsRequest.with {
            $0.sinceNanos = start
            $0.noFollow = !follow
            // The daemon knows no filters: what it counts must be what is shown.
            $0.limit = filter.isEmpty ? limit ?? 0 : 0
        }
        var printer = FlowPrinter(format: output, limit: limit.map(Int.init), follow: follow)
        try await daemon.stream("WatchFlows", request, of: Sallyport_Control_V1_WatchFlowsResponse.self) { message in
            let wantsMore = try printer.add(message.flows.filter(filter.matches))
            if message.missed > 0 { warn("\(message.missed) records were not shown: they came faster than they were read") }
            return wantsMore
        }
        try printer.finish()
    }
}

/// Prints flows: when following as they come, up to the limit; else the newest, at the end.
private struct FlowPrinter {
    private let format: FlowsCommand.Format
    private let limit: Int
    private let follow: Bool
    private let line = FlowLine(terminal: .standardOutput)
    private var held: [Sallyport_Flow_V1_Flow] = []
    private var shown = 0
    private var json = JSONText()

    init(format: FlowsCommand.Format, limit: Int?, follow: Bool) {
        self.format = format
        self.limit = limit ?? .max
        self.follow = follow
    }

    /// - Returns: Whether more are wanted.
    mutating func add(_ flows: [Sallyport_Flow_V1_Flow]) throws -> Bool {
        if follow || limit == .max {
            let wanted = flows.prefix(limit - shown)
            try show(wanted)
            shown += wanted.count
            return shown < limit
        }
        held += flows
        held.removeFirst(max(0, held.count - limit))
        return true
    }

    mutating func finish() throws { try show(held[...]) }

    private mutating func show(_ flows: ArraySlice<Sallyport_Flow_V1_Flow>) throws {
        guard !flows.isEmpty else { return }
        switch format {
        case .text: try write(flows.map { line.short($0) + "\n" }.joined())
        case .wide: try write(flows.map { line.wide($0) + "\n" }.joined())
        case .json:
            json.removeAll()
            for flow in flows { json.line(flow) }
            try write(String(decoding: json.bytes, as: UTF8.self))
        }
    }
}
