// Whether somebody else translates addresses in a unit's namespace.

import Linux

/// Asks nf_tables, by `socket`, and the iptables of before.
func hasOthersNat(_ namespace: NetworkNamespace, _ socket: NetfilterSocket) throws(InterceptionError) -> Bool {
    if try socket.hasOthersNat() { return true }
    // The names of the tables that a namespace has are there where the kernel has such tables at all.
    let families = ["ip", "ip6"].filter { access("/proc/net/\($0)_tables_names", F_OK) == 0 }
    if families.isEmpty { return false }
    do {
        return try namespace.run { try families.contains { try tables("/proc/thread-self/net/\($0)_tables_names").contains("nat") } }
    } catch { throw InterceptionError(error) }
}

/// The lines of a file in /proc that are a name each.
private func tables(_ path: String) throws(SystemCallError) -> [Substring] {
    let file = try Descriptor(opening: path, flags: O_RDONLY)
    var text = [UInt8](repeating: 0, count: 4096)
    let count = try syscall("read", path) { text.withUnsafeMutableBytes { read(file.raw, $0.baseAddress, $0.count) } }
    return String(decoding: text.prefix(count), as: UTF8.self).split(separator: "\n")
}
