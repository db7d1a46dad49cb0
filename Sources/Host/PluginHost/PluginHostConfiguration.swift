// Where plugins are and how long they may take.

/// The host's settings.
public struct PluginHostConfiguration: Sendable {
    /// Has the drop-ins, `NN-name.yaml`.
    public var dropInDirectory: String
    /// The one directory that plugins' names resolve in.
    public var pluginDirectory: String
    /// The path of sallyport-plugin-runner.
    public var runnerPath: String
    public var times = PluginTimes()

    public init(dropInDirectory: String, pluginDirectory: String, runnerPath: String) {
        self.dropInDirectory = dropInDirectory
        self.pluginDirectory = pluginDirectory
        self.runnerPath = runnerPath
    }
}

/// How long things may take and how often they happen (docs/plugin-abi.md §§2, 6 and 8).
public struct PluginTimes: Sendable {
    /// For one call. A plugin that takes longer is degraded.
    public var call = Duration.seconds(10)
    /// Between two looks at a plugin's health, and while it is not ready yet.
    public var health = Duration.seconds(10)
    public var healthWhileStarting = Duration.seconds(1)
    /// For Shutdown, and then for the process to end.
    public var shutdown = Duration.seconds(3)
    public var end = Duration.seconds(1)
    /// The first pause before a restart; each further one doubles, up to the longest.
    public var firstPause = Duration.milliseconds(250)
    public var longestPause = Duration.seconds(30)
    /// How long a plugin must have been up for the pauses to begin anew.
    public var settled = Duration.seconds(60)

    public init() {}
}
