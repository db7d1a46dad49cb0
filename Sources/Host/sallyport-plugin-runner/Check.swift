// sallyport-plugin-runner --check: what `sallyport plugin check` runs.

import FoundationEssentials
import Linux
import PluginCarriers

/// Checks a plugin and prints each outcome.
/// - Parameter arguments: `[-o json] [--config JSON] PATH`
/// - Returns: The exit status: 0 if it kept every promise, 1 if not, 64 for wrong arguments.
func runCheck(_ arguments: [String]) async -> Int32 {
    var isJSON = false
    var configuration = "{}"
    var path: String?
    var rest = arguments[...]
    while let argument = rest.popFirst() {
        switch argument {
        case "-o": isJSON = rest.popFirst() == "json"
        case "--config": configuration = rest.popFirst() ?? "{}"
        default: path = argument
        }
    }
    guard let path, let runner = executablePath() else {
        logLine(3, "usage: sallyport-plugin-runner --check [-o json] [--config JSON] PATH")
        return EX_USAGE
    }
    let absolute = path.hasPrefix("/") ? path : "./\(path)"
    var results: [CheckResult] = []
    let passed = await PluginCheck(path: absolute, runnerPath: runner, configuration: configuration).run { result in
        if isJSON { results.append(result) } else { print(result) }
        // A plugin that crashes in this process must not take the lines before along.
        fflush(nil)
    }
    if isJSON {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        print(String(decoding: (try? encoder.encode(results)) ?? Data(), as: UTF8.self))
    }
    return passed ? EXIT_SUCCESS : EXIT_FAILURE
}

/// proc(5), /proc/PID/exe.
private func executablePath() -> String? {
    var path = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/exe", &path, path.count)
    return count > 0 ? String(decoding: path.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
}
