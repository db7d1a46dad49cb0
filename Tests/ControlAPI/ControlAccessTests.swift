import ControlAPI
import TTRPC
import Testing

struct ControlAccessTests {
    private let access = ControlAccess(owner: 900, group: 901)

    @Test(
        "root and the daemon's user may do all, the group may only read, others nothing",
        arguments: [
            (RPCPeer(pid: 1, uid: 0, gid: 0), true, true),
            (RPCPeer(pid: 1, uid: 900, gid: 5), true, true),
            (RPCPeer(pid: 1, uid: 1000, gid: 901), true, false),
            (RPCPeer(pid: 1, uid: 1000, gid: 1000, groups: [4, 901]), true, false),
            (RPCPeer(pid: 1, uid: 1000, gid: 1000, groups: [4, 900]), false, false),
            (RPCPeer(pid: 1, uid: 1000, gid: 0), false, false),
            (RPCPeer(pid: 1, uid: .max, gid: .max), false, false),
            (nil, false, false),
        ] as [(RPCPeer?, Bool, Bool)])
    func matrix(_ peer: RPCPeer?, mayRead: Bool, mayChange: Bool) {
        #expect(code { () throws(RPCError) in try access.check(.readOnly, "Status", peer) } == (mayRead ? nil : .permissionDenied))
        #expect(code { () throws(RPCError) in try access.check(.change, "Reload", peer) } == (mayChange ? nil : .permissionDenied))
    }

    @Test("without a group nobody else may read")
    func noGroup() {
        let access = ControlAccess(owner: 900, group: nil)
        let peer = RPCPeer(pid: 1, uid: 1000, gid: 0, groups: [0])
        #expect(code { () throws(RPCError) in try access.check(.readOnly, "Status", peer) } == .permissionDenied)
    }

    private func code(_ body: () throws(RPCError) -> Void) -> RPCCode? {
        do throws(RPCError) {
            try body()
            return nil
        } catch {
            return error.code
        }
    }
}
