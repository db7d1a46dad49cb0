// Clocks and memory.

import Linux

/// Seconds of CPU that `body` takes; others on the machine count less than they do for a clock on the wall.
func seconds(_ body: () -> Void) -> Double {
    func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
    let start = now()
    body()
    return now() - start
}

/// Nanoseconds of one call of `body`: the median of nine rounds of `count`.
func nanoseconds(_ count: Int, _ body: (Int) -> Void) -> Double {
    let rounds = (0..<9).map { _ in
        seconds { for index in 0..<count { body(index) } } * 1e9 / Double(count)
    }
    return rounds.sorted()[4]
}

/// MiB of this process's own memory: `Private_Dirty` of /proc/self/smaps_rollup, proc(5). What was freed may still be
/// in it, so each cluster is measured in a process of its own.
func residentMemory() -> Double {
    guard let file = fopen("/proc/self/smaps_rollup", "r") else { return 0 }
    defer { fclose(file) }
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
