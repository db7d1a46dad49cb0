// A plugin in a process of its own (docs/plugin-abi.md §8).

import CSallyportPlugin
import Linux
import Synchronization
import TTRPC

/// How a plugin's process ended.
public enum PluginExit: Equatable, Sendable, CustomStringConvertible {
    case exited(Int32)
    case killed(signal: Int32)

    /// The status by which a plugin says that trying again is no use: EX_CONFIG of sysexits(3).
    public static let configuration = PluginExit.exited(78)

    public var description: String {
        switch self {
        case .exited(let status): "its process exited with status \(status)"
        case .killed(let signal): "its process was ended by signal \(signal) (\(String(cString: strsignal(signal))))"
        }
    }
}

/// A running process that serves a plugin on its descriptor 3.
public final class PluginProcess: Sendable {
    public let pid: Int32
    public let channel: TTRPCClient
    private let output: PluginOutput

    /// Starts `file`: in `runner` if it is a library, else itself.
    /// - Throws: `PluginFault`; `SystemCallError` or `RPCError` when descriptors or threads run out.
    public static func start(
        _ file: PluginFile, runner: PluginFile, user: PluginUser? = nil, log: @escaping PluginLog
    ) async throws -> PluginProcess {
        let spawner = try Spawner.shared()
        return try await withCheckedThrowingContinuation { continuation in
            spawner.run {
                continuation.resume(with: Result { try PluginProcess(file, runner: runner, user: user, log: log) })
            }
        }
    }

    private init(_ file: PluginFile, runner: PluginFile, user: PluginUser?, log: @escaping PluginLog) throws {
        var ends: [Int32] = [-1, -1]
        try syscall("socketpair") { socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) }
        let socket = Descriptor(owning: ends[0])
        let child = Descriptor(owning: ends[1])
        try syscall("pipe2") { pipe2(&ends, O_CLOEXEC) }
        let lines = Descriptor(owning: ends[0])
        let output = Descriptor(owning: ends[1])
        try syscall("fcntl") { clinux_fcntl(lines.raw, F_SETFL, Int(O_NONBLOCK)) }
        let null = try Descriptor(opening: "/dev/null", flags: O_RDONLY)

        let image = if case .program = file.form { file } else { runner }
        let fileInChild = file.form == .program(script: false) ? -1 : file.descriptor.raw
        let pid = try withArguments([image.name, file.name]) { arguments in
            try (user?.groups ?? []).withUnsafeBufferPointer { groups in
                var spawn = clinux_spawn(
                    image: image.descriptor.raw, null: null.raw, output: output.raw, socket: child.raw, file: fileInChild,
                    arguments: arguments, data_limit: 512 << 20, descriptor_limit: 256, changes_user: user == nil ? 0 : 1,
                    user: user?.uid ?? 0, group: user?.gid ?? 0, groups: groups.baseAddress, group_count: groups.count)
                var failure = clinux_spawn_failure()
                let pid = clinux_spawn_child(&spawn, &failure)
                guard pid > 0 else { throw PluginFault.notStarted(name: file.name, SystemCallError(failure)) }
                return pid
            }
        }
        self.pid = pid
        let follower = PluginOutput(pid: pid, log: LogGate(log))
        self.output = follower
        do {
            let process = try Descriptor(owning: syscall("pidfd_open") { clinux_pidfd_open(pid) })
            channel = try TTRPCClient(connection: socket)
            try follower.follow(lines: lines, process: process, name: file.name)
        } catch {
            // Nobody would see its end otherwise.
            Linux.kill(-pid, SIGKILL)
            waitpid(pid, nil, 0)
            throw error
        }
    }

    /// Waits until the process has ended and everything it wrote is logged.
    public func exit() async -> PluginExit { await output.exit() }

    /// As `exit`; nil if it has not ended within `limit`.
    public func exit(within limit: Duration) async -> PluginExit? {
        let answer = FirstAnswer<PluginExit?>()
        Task { answer.give(await exit()) }
        return await answer.value(within: limit, late: nil)
    }

    /// Closes the connection, which tells the process to end, and kills it after `grace`.
    public func stop(grace: Duration = .seconds(1)) async {
        await channel.close()
        let timer = Task {
            try await Task.sleep(for: grace)
            kill()
        }
        defer { timer.cancel() }
        _ = await exit()
    }

    /// Ends the process, and what it started, at once.
    public func kill() { output.kill() }
}

/// The thread that starts plugins. It lives as long as the process, since a child is killed when the thread that
/// forked it ends (PR_SET_PDEATHSIG, prctl(2)), and threads of the pool do end.
private enum Spawner {
    private static let thread = Mutex<SerialThread?>(nil)

    static func shared() throws(SystemCallError) -> SerialThread {
        try thread.withLock { (thread: inout SerialThread?) throws(SystemCallError) -> SerialThread in
            if let thread { return thread }
            let started = try SerialThread(name: "plugin-starter")
            thread = started
            return started
        }
    }
}

extension SystemCallError {
    fileprivate init(_ failure: clinux_spawn_failure) {
        let call = switch Int(failure.step) {
        case CLINUX_SPAWN_LIMITS: "setrlimit"
        case CLINUX_SPAWN_USER: "setresuid"
        case CLINUX_SPAWN_PARENT: "prctl"
        case CLINUX_SPAWN_EXECUTE: "execveat"
        default: "fork"
        }
        self.init(call: call, errno: failure.code)
    }
}

/// Calls `body` with `arguments` as execve(2) takes them.
private func withArguments<Result>(
    _ arguments: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) throws -> Result
) throws -> Result {
    var copies = arguments.map { strdup($0) } + [nil]
    defer { for copy in copies { free(copy) } }
    return try body(&copies)
}
