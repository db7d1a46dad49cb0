// "Did you mean …?"

/// The known name that a misspelt one most likely stands for; nil if none is near.
func nearestName(to name: String, among known: [String]) -> String? {
    // A longer name is no slip of the pen, and the comparison is quadratic.
    guard name.utf8.count <= 64 else { return nil }
    let lowered = name.lowercased()
    return known
        .map { (name: $0, distance: editDistance(lowered, $0.lowercased())) }
        .filter { $0.distance <= max(1, $0.name.count / 3) }
        .min { $0.distance < $1.distance }?.name
}

/// The least number of insertions, deletions, substitutions and swaps of neighbours (optimal string alignment).
private func editDistance(_ left: String, _ right: String) -> Int {
    let left = Array(left.utf8)
    let right = Array(right.utf8)
    var before: [Int] = []
    var last = Array(0...right.count)
    for i in left.indices {
        var row = [i + 1]
        for j in right.indices {
            var best = min(row[j] + 1, last[j + 1] + 1, last[j] + (left[i] == right[j] ? 0 : 1))
            if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] { best = min(best, before[j - 1] + 1) }
            row.append(best)
        }
        before = last
        last = row
    }
    return last[right.count]
}
