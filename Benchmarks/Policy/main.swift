// Measures policy at the size it is made for, and prints a table. See docs/performance.md, "Policy".
//
//     swift run -c release PolicyBenchmark [units services rulesets]

let sizes = CommandLine.arguments.dropFirst().compactMap { Int($0) }
let size =
    sizes.count == 3
    ? ClusterSize(units: sizes[0], services: sizes[1], rulesets: sizes[2]) : ClusterSize(units: 100_000, services: 10_000, rulesets: 10_000)
print("\(size.units) processing units (\(size.locals) local), \(size.services) services, \(size.rulesets) rulesets")
for layout in ClusterLayout.allCases {
    print("\n\(layout.rawValue)")
    benchmark(Cluster(size: size, layout: layout))
}
benchmarkExternalNetworks(count: 200_000)
