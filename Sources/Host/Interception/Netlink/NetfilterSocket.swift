// The socket over which transactions go to nf_tables, and the reading of its answers.

import CNetfilter
import Linux

/// A netlink socket of the namespace in which it was made.
///
/// It speaks to the kernel itself and not through `nft`, which would be a process for each change, nor through libnftables, which ends
/// the process that it is in when a descriptor or memory runs out (docs/interception.md).
final class NetfilterSocket: Sendable {
    private let socket: Descriptor
    private let namespace: String
    /// CAP_NET_ADMIN over the namespace; tells the two meanings of EPERM apart.
    private let isPrivileged: Bool

    /// - Parameter namespace: The name of the calling thread's namespace, for errors.
    init(namespace: String) throws(InterceptionError) {
        self.namespace = namespace
        do throws(SystemCallError) {
            socket = Descriptor(
                owning: try syscall("socket", "NETLINK_NETFILTER") {
                    Glibc.socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), NETLINK_NETFILTER)
                })
            // Answers in words, and without the whole of our message in each.
            try NetfilterSocket.set(socket.raw, SOL_NETLINK, NETLINK_EXT_ACK, 1)
            try NetfilterSocket.set(socket.raw, SOL_NETLINK, NETLINK_CAP_ACK, 1)
        } catch { throw .system(error) }
        // A transaction is one datagram, 3 MiB for 100,000 elements, and past net.core.wmem_max only with the capability.
        isPrivileged = (try? NetfilterSocket.set(socket.raw, SOL_SOCKET, SO_SNDBUFFORCE, 64 << 20)) != nil
        // An acknowledgement is charged about 1 KiB.
        _ = try? NetfilterSocket.set(socket.raw, SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    }

    /// Hands a transaction to the kernel, which has applied all of it when this returns, and none of it when it throws.
    func commit(_ batch: NetfilterBatch) throws(InterceptionError) {
        do throws(SystemCallError) {
            try send(batch.bytes)
        } catch {
            if error.errno == EPERM { throw .missingCapability("CAP_NET_ADMIN", doing: "change nftables in network namespace \(namespace)") }
            throw .system(error)
        }
        // The kernel works within send: every answer is there already.
        var acknowledged = 0
        var failure: (part: Int, errno: Int32, words: String)?
        while let answer = try receive() {
            var rest = answer[...]
            while let message = NetlinkAnswer(consuming: &rest) {
                if message.errno == 0 {
                    acknowledged += 1
                } else if failure == nil {
                    failure = (message.sequence, message.errno, message.words)
                }
            }
        }
        if let failure { throw refusal(of: batch.parts, failure.part, failure.errno, failure.words) }
        guard acknowledged == batch.parts.count - 2 else {
            throw .refused(part: "the transaction", namespace: namespace, reason: "\(acknowledged) of its \(batch.parts.count - 2) parts were acknowledged")
        }
    }

    /// Whether the namespace has chains of nat in tables other than ours.
    func hasOthersNat() throws(InterceptionError) -> Bool {
        // struct nlmsghdr, netlink(7), and struct nfgenmsg: every family's chains.
        try calling { () throws(SystemCallError) in try send(NetfilterBatch.dump(NFT_MSG_GETCHAIN)) }
        var hasNat = false
        // The kernel writes the next part of a long answer as each is taken.
        while let part = try receive() {
            var rest = part[...]
            while let message = NetlinkReader(consuming: &rest, least: 16) {
                let isOurs = message.integer(at: 16, as: UInt8.self) == UInt8(NFPROTO_INET)
                    && message.text(ofAttribute: UInt16(NFTA_CHAIN_TABLE.rawValue), from: 20) == NetfilterBatch.tableName
                if message.text(ofAttribute: UInt16(NFTA_CHAIN_TYPE.rawValue), from: 20) == "nat" && !isOurs { hasNat = true }
            }
        }
        return hasNat
    }

    private func refusal(of parts: [String], _ part: Int, _ errno: Int32, _ words: String) -> InterceptionError {
        if errno == EPERM {
            return isPrivileged
                ? .tableOwnedByAnother(namespace: namespace)
                : .missingCapability("CAP_NET_ADMIN", doing: "change nftables in network namespace \(namespace)")
        }
        return .refused(
            part: parts.indices.contains(part) ? parts[part] : "a part", namespace: namespace,
            reason: String(cString: strerror(errno)) + (words.isEmpty ? "" : " (\(words))"))
    }

    private func send(_ bytes: [UInt8]) throws(SystemCallError) {
        try syscall("send", "NETLINK_NETFILTER") { bytes.withUnsafeBytes { cnetfilter_send(socket.raw, $0.baseAddress, $0.count) } }
    }

    /// One datagram of answers, or nil when no more are waiting.
    private func receive() throws(InterceptionError) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        do throws(SystemCallError) {
            let count = try syscall("recv", "NETLINK_NETFILTER") {
                buffer.withUnsafeMutableBytes { recv(socket.raw, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT)) }
            }
            return Array(buffer.prefix(count))
        } catch {
            if error.errno == EAGAIN { return nil }
            throw .system(error)
        }
    }

    private static func set(_ socket: Int32, _ level: Int32, _ option: Int32, _ value: Int32) throws(SystemCallError) {
        try syscall("setsockopt", "NETLINK_NETFILTER") {
            withUnsafePointer(to: value) { setsockopt(socket, level, option, $0, socklen_t(MemoryLayout<Int32>.size)) }
        }
    }
}
