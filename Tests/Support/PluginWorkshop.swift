// Plugins in C for tests, built from Tests/Plugins, and the directory they are installed in.

import Linux

/// A directory of plugins, which goes with its last user.
public final class PluginWorkshop: Sendable {
    /// Its absolute path; mode 0700.
    public let directory: String

    public init() throws {
        var template = Array("/tmp/sallyport-plugins-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemCallError(call: "mkdtemp", errno: clinux_errno()) }
        directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        for file in (try? names()) ?? [] { unlink("\(directory)/\(file)") }
        rmdir(directory)
    }

    private func names() throws -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    /// The root of the source tree.
    public static let repository = String(#filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 })

    /// The directory that has this test's executable, and with it those of the package.
    public static let products: String = {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &path, path.count)
        let executable = String(decoding: path.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return String(executable[..<(executable.lastIndex(of: "/") ?? executable.endIndex)])
    }()

    public static var runnerPath: String { "\(products)/sallyport-plugin-runner" }

    /// Builds Tests/Plugins/SOURCE.c.
    /// - Parameter name: What it is installed as, ".so" not included.
    /// - Returns: Its path.
    @discardableResult
    public func build(_ source: String, as name: String? = nil) async throws -> String {
        try await compile(source, to: "\(directory)/\(name ?? source).so", "-shared", "-fPIC")
    }

    /// Builds Tests/Plugins/SOURCE.c as a program.
    @discardableResult
    public func buildProgram(_ source: String) async throws -> String {
        try await compile(source, to: "\(directory)/\(source)")
    }

    private func compile(_ source: String, to path: String, _ options: String...) async throws -> String {
        let headers = "\(PluginWorkshop.repository)/Sources/Protocol/CSallyportPlugin/include"
        // Renamed into place, as an operator should: a file that is loaded must not change.
        try await runProgram(
            ["gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-I", headers] + options
                + ["-o", path + ".new", "\(PluginWorkshop.repository)/Tests/Plugins/\(source).c", "-lpthread"])
        try syscall("rename", path) { rename(path + ".new", path) }
        return path
    }

    /// Writes a file that may be executed.
    @discardableResult
    public func write(_ name: String, _ text: String, mode: mode_t = 0o755) throws -> String {
        let path = "\(directory)/\(name)"
        try writeProgram(text, to: path, mode: mode)
        return path
    }
}
