// Tells the service manager how the daemon is doing; sd_notify(3).

import Linux

/// Sends a state to systemd; nothing happens where it did not ask.
func notifyServiceManager(_ state: String) {
    guard let path = getenv("NOTIFY_SOCKET").map({ String(cString: $0) }), path.first == "/" || path.first == "@" else { return }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    // "@" stands for the NUL of an abstract address; unix(7).
    if path.first == "@" { address.sun_path.0 = 0 }
    let socket = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    if socket < 0 { return }
    defer { close(socket) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
    _ = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { sendto(socket, state, state.utf8.count, Int32(MSG_NOSIGNAL), $0, length) }
    }
}
