// Measures policy at the size it is made for, and prints a table. See docs/performance.md, "Policy".
//
//     swift run -c release PolicyBenchmark [spread|flat|broad|external]...

import Linux

let size = ClusterSize(units: 100_000, services: 10_000, rulesets: 10_000)
let parts = ClusterLayout.allCases.map { "\($0)" } + ["external"]
let wanted = CommandLine.arguments.dropFirst()
if wanted.count == 1, let part = wanted.first {
    if let layout = ClusterLayout.allCases.first(where: { "\($0)" == part }) {
        benchmark(Cluster(size: size, layout: layout))
    } else if part == "external" {
        benchmarkExternalNetworks(count: 200_000)
    } else {
        print("\(part) is none of \(parts.joined(separator: ", "))")
        exit(2)
    }
} else {
    for part in wanted.isEmpty ? parts : Array(wanted) { runAlone(part) }
}

/// Runs one part in a process of its own, so that memory is its own too.
func runAlone(_ part: String) {
    var pid: pid_t = 0
    let path = strdup(CommandLine.arguments[0])
    let argument = strdup(part)
    defer {
        free(path)
        free(argument)
    }
    guard posix_spawnp(&pid, CommandLine.arguments[0], nil, nil, [path, argument, nil], environ) == 0 else {
        return print("cannot run \(CommandLine.arguments[0])")
    }
    waitpid(pid, nil, 0)
}
