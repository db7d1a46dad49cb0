// The user a plugin's process runs as.

import Linux

/// A user with their groups, resolved before the fork.
public struct PluginUser: Sendable, Equatable {
    let uid: UInt32
    let gid: UInt32
    let groups: [UInt32]

    /// Looks `name` up; passwd(5), group(5).
    public init(named name: String) throws(PluginFault) {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        // sysconf(_SC_GETPW_R_SIZE_MAX) is 1024 with glibc, a hint only; an entry over 64 KiB is not of this world.
        var buffer = [CChar](repeating: 0, count: 65536)
        guard getpwnam_r(name, &entry, &buffer, buffer.count, &found) == 0, found != nil else { throw .unknownUser(name) }
        uid = entry.pw_uid
        gid = entry.pw_gid
        var count: Int32 = 65536  // NGROUPS_MAX, limits.h
        var groups = [gid_t](repeating: 0, count: Int(count))
        guard getgrouplist(name, entry.pw_gid, &groups, &count) >= 0 else { throw .unknownUser(name) }
        self.groups = Array(groups.prefix(Int(count)))
    }
}
