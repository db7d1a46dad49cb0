// Which directory entries a path depends on: a change to any of them may change what the path means.

import Linux

/// An entry of a directory, neither of which need exist.
package struct Place: Hashable, Sendable {
    package let directory: String
    package let name: String
}

/// Walks `path` as the kernel does (path_resolution(7)) and gives every entry on the way, through all symbolic links.
///
/// Kubernetes swaps a mounted ConfigMap by renaming a link: policy.d/web.yaml → ..data/web.yaml, policy.d/..data →
/// ..2026_01_01/. The entries of policy.d/web.yaml are then web.yaml, ..data and those below.
package func entries(onTheWayTo path: String) -> [Place] {
    var found: [Place] = []
    var directory = ""  // the root
    var rest = Array(path.split(separator: "/").reversed())
    var links = 0
    while let name = rest.popLast() {
        switch name {
        case ".": continue
        case "..":
            directory = String(directory[..<(directory.lastIndex(of: "/") ?? directory.startIndex)])
            continue
        default: break
        }
        let here = "\(directory)/\(name)"
        found.append(Place(directory: directory.isEmpty ? "/" : directory, name: String(name)))
        guard let target = readLink(here) else {
            directory = here
            continue
        }
        // ELOOP comes after 40; path_resolution(7).
        links += 1
        if links > 40 { break }
        if target.hasPrefix("/") { directory = "" }
        rest += target.split(separator: "/").reversed()
    }
    return found
}

/// nil if `path` is no symbolic link.
private func readLink(_ path: String) -> String? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink(path, &buffer, buffer.count)
    return count > 0 ? String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self) : nil
}
