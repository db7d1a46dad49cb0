// The command `sallyport`: what an operator asks and tells a running sallyportd.

import ArgumentParser

public struct SallyportCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "sallyport",
        abstract: "Ask and steer sallyportd, the enforcer of this node.",
        discussion: """
            Exit status: 0 for success; 1 if the command worked and the answer is no (refused, not ready, not valid); \
            2 if it could not do its work; 64 for wrong usage.
            """,
        subcommands: [
            StatusCommand.self, PluginsCommand.self, ServicesCommand.self, UnitsCommand.self, FlowsCommand.self, MapCommand.self,
            ExplainCommand.self, CACommand.self, ValidateCommand.self, PluginCommand.self, ReloadCommand.self, DrainCommand.self,
            LogLevelCommand.self, MetricsCommand.self, DoctorCommand.self,
        ])

    public init() {}

    /// Runs the command line and exits.
    public static func run() async -> Never {
        await main()
        exit()
    }
}
