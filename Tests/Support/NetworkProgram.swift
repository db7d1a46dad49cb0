// Real programs, run in a namespace: to their end with a limit, or until they are stopped.

import Linux

/// Something in a test network that did not come about.
public struct NetworkError: Error, CustomStringConvertible {
    public let what: String
    public init(what: String) { self.what = what }
    public var description: String { what }
}

/// What a program that has ended leaves.
public struct ProgramResult: Sendable {
    /// Its exit status, or 128 and the signal that ended it.
    public let status: Int32
    public let output: String
    public let errors: String
}

/// A program that runs. It is stopped when its network goes, at the latest.
public final class NetworkProgram {
    public let pid: pid_t
    private let name: String
    private let output: Descriptor
    private let errors: Descriptor
    private var status: Int32?
    /// What must not go before it.
    private let kept: AnyObject?

    /// - Parameters:
    ///   - namespace: Where it runs; nil for the test's own.
    ///   - environment: "NAME=VALUE", besides PATH.
    init(_ program: String, _ arguments: [String], in namespace: String?, environment: [String] = [], input: String = "", keeping kept: AnyObject? = nil) throws {
        self.kept = kept
        let command = (namespace.map { ["nsenter", "--net=/run/netns/\($0)", "--"] } ?? []) + [program] + arguments
        name = ([program] + arguments).joined(separator: " ")
        let input = try temporaryFile(holding: input)
        output = try temporaryFile()
        errors = try temporaryFile()

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input.raw, 0)
        posix_spawn_file_actions_adddup2(&actions, output.raw, 1)
        posix_spawn_file_actions_adddup2(&actions, errors.raw, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A group of its own, so that what it starts ends with it; and no signals blocked, whatever the tests' threads do.
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)

        var pid = pid_t()
        let environment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] + environment
        let failure = withArguments(command) { argv in
            withArguments(environment) { envp in posix_spawnp(&pid, command[0], &actions, &attributes, argv, envp) }
        }
        guard failure == 0 else { throw NetworkError(what: "\(name): \(String(cString: strerror(failure)))") }
        self.pid = pid
    }

    deinit { stop() }

    /// What it has written so far.
    public var outputSoFar: String { contents(of: output.raw) }
    public var errorsSoFar: String { contents(of: errors.raw) }

    public var isRunning: Bool { poll() == nil }

    /// Waits until something in its namespace listens on a TCP port.
    public func waitUntilListening(_ port: UInt16) throws {
        let digits = String(port, radix: 16, uppercase: true)
        // "sl: ADDRESS:PORT ADDRESS:0000 0A", 0A being LISTEN; proc(5).
        let listens = ":" + String(repeating: "0", count: 4 - digits.count) + digits
        try wait("listens on port \(port)") {
            ["tcp", "tcp6"].contains { family in
                guard let file = try? Descriptor(opening: "/proc/\(pid)/net/\(family)", flags: O_RDONLY) else { return false }
                return contents(of: file.raw).split(separator: "\n").dropFirst().contains {
                    let fields = $0.split(separator: " ")
                    return fields.count > 3 && fields[1].hasSuffix(listens) && fields[3] == "0A"
                }
            }
        }
    }

    /// Waits until `condition` holds; throws when it does not within 20 seconds, or the program ends first.
    public func wait(_ what: String, until condition: () throws -> Bool) throws {
        do {
            try eventually(what) {
                if try condition() { return true }
                guard isRunning else { throw NetworkError(what: "ended before it \(what)") }
                return false
            }
        } catch {
            throw NetworkError(what: "\(name): \(error): \(errorsSoFar)")
        }
    }

    /// Ends it, with everything that it started, and gives what it left.
    @discardableResult
    public func stop(_ signal: Int32 = SIGKILL) -> ProgramResult {
        if poll() == nil {
            kill(-pid, signal)
            // The group is made by the child itself, which may not have come so far.
            kill(pid, signal)
            for _ in 0..<1000 where poll() == nil { usleep(10_000) }
            if poll() == nil { kill(-pid, SIGKILL) }
        }
        return ProgramResult(status: waitForEnd(), output: outputSoFar, errors: errorsSoFar)
    }

    private func waitForEnd() -> Int32 {
        while true {
            if let status = poll() { return status }
            usleep(1000)
        }
    }

    /// Its status if it has ended.
    private func poll() -> Int32? {
        if status == nil {
            var word: Int32 = 0
            if waitpid(pid, &word, WNOHANG) != 0 { status = word & 0x7f == 0 ? (word >> 8) & 0xff : 128 + word & 0x7f }
        }
        return status
    }
}

extension NetworkProgram {
    /// Starts a program in the test's own namespace.
    public static func start(_ program: String, _ arguments: [String]) throws -> NetworkProgram {
        try NetworkProgram(program, arguments, in: nil)
    }

    /// Runs a program to its end, or kills it after `timeout` seconds and throws.
    public static func run(
        _ program: String, _ arguments: [String], in namespace: String?, input: String = "", timeout: Int = 30
    ) throws -> ProgramResult {
        let running = try NetworkProgram(program, arguments, in: namespace, input: input)
        let end = clinux_monotonic() + UInt64(timeout) * 1_000_000_000
        while running.isRunning {
            if clinux_monotonic() > end {
                let left = running.stop()
                throw NetworkError(what: "\(running.name): no end after \(timeout) s: \(left.output)\(left.errors)")
            }
            usleep(1000)
        }
        return running.stop()
    }

    /// Runs a program that must succeed.
    static func check(_ program: String, _ arguments: [String], in namespace: String?, input: String = "") throws {
        let result = try run(program, arguments, in: namespace, input: input)
        if result.status != 0 {
            throw NetworkError(what: "\(program) \(arguments.joined(separator: " ")): \(result.errors)\(result.output)")
        }
    }
}

/// An open file without a name, for the standard streams of a program: no pipe that could fill up.
private func temporaryFile(holding text: String = "") throws -> Descriptor {
    var template = Array("/tmp/sallyport-test-XXXXXX".utf8CString)
    let file = Descriptor(owning: try syscall("mkstemp") { mkstemp(&template) })
    unlink(&template)
    _ = try syscall("fcntl") { clinux_fcntl(file.raw, F_SETFD, Int(FD_CLOEXEC)) }
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
        bytes = bytes.dropFirst(try syscall("write") { bytes.withUnsafeBytes { write(file.raw, $0.baseAddress, $0.count) } })
    }
    lseek(file.raw, 0, SEEK_SET)
    return file
}

/// All of a file, wherever its offset is.
func contents(of file: Int32) -> String {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
        let count = pread(file, &chunk, chunk.count, bytes.count)
        if count <= 0 { return String(decoding: bytes, as: UTF8.self) }
        bytes += chunk.prefix(count)
    }
}

private func withArguments<Result>(
    _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    var pointers = strings.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    return body(&pointers)
}
