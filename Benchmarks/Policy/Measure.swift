// Clocks and memory.

import Linux

/// Seconds that `body` takes.
func seconds(_ body: () -> Void) -> Double {
    let start = ContinuousClock.now
    body()
    return (ContinuousClock.now - start) / .seconds(1)
}

/// Nanoseconds of one call of `body`: the median of nine rounds of `count`.
func nanoseconds(_ count: Int, _ body: (Int) -> Void) -> Double {
    let rounds = (0..<9).map { _ in
        seconds { for index in 0..<count { body(index) } } * 1e9 / Double(count)
    }
    return rounds.sorted()[4]
}

/// MiB of this process's own memory: `Private_Dirty` of /proc/self/smaps_rollup, proc(5).
func residentMemory() -> Double {
    guard let file = fopen("/proc/self/smaps_rollup", "r") else { return 0 }
    defer { fclose(file) }
    // What was freed is still the process's until it is given back.
    malloc_trim(0)
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, Int32(line.count), file) != nil {
        let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        if text.hasPrefix("Private_Dirty:") { return (Double(text.filter(\.isNumber)) ?? 0) / 1024 }
    }
    return 0
}

/// Keeps the optimiser from leaving out what nobody reads.
@inline(never)
func use<Value>(_ value: Value) {}

func row(_ name: String, _ value: Double, _ unit: String) {
    let number = value < 10 ? "\((value * 100).rounded() / 100)" : "\(Int(value.rounded()))"
    print("  \(name.padded(58))\(String(repeating: " ", count: max(0, 8 - number.count)))\(number) \(unit)")
}

extension String {
    fileprivate func padded(_ length: Int) -> String { self + String(repeating: " ", count: max(0, length - count)) }
}
