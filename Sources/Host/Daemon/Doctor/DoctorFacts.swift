// What the doctor looks at: gathered once, so that what is said of it is a function of values.

import CTimex
import FlowLog
import Interception
import Linux
import PluginHost
import Policy
import SallyportProtocol

package struct DoctorFacts: Sendable {
    package typealias Unit = Sallyport_Control_V1_ProcessingUnitStatus
    package typealias Service = Sallyport_Control_V1_ServiceStatus

    /// A frontend that was dialled: "10.96.0.10:9376", and what the system said; nil if it answered.
    package struct DialledFrontend: Sendable {
        package var frontend: String
        package var service: String
        package var problem: String?

        package init(frontend: String, service: String, problem: String?) {
            self.frontend = frontend
            self.service = service
            self.problem = problem
        }
    }

    /// Seconds since 1970.
    package var now: Int64 = 0
    package var kernel: [KernelFeature] = []
    /// CapEff of proc(5), a bit each.
    package var capabilities: UInt64 = 0
    /// The kernel's clock is kept right by somebody; adjtimex(2), STA_UNSYNC. nil if that cannot be told.
    package var clockIsSynchronised: Bool?
    package var plugins: [Sallyport_Control_V1_PluginStatus] = []
    package var conditions: [String] = []
    package var problems: [Sallyport_Policy_V1_Problem] = []
    package var units: [Unit] = []
    package var services: [Service] = []
    package var dialled: [DialledFrontend] = []
    /// "NAMESPACE/NAME" of services that no unit may call, of those that were looked at.
    package var unreachable: [String] = []
    /// Flows that ended within the last hour and are held in memory.
    package var flows: [Sallyport_Flow_V1_Flow] = []

    package init() {}
}

extension DoctorFacts {
    /// CapEff of this process, proc_pid_status(5); nil if it cannot be read.
    static func ownCapabilities() -> UInt64? {
        guard let file = try? Descriptor(opening: "/proc/self/status", flags: O_RDONLY) else { return nil }
        var bytes = [UInt8](repeating: 0, count: 8192)
        let count = bytes.withUnsafeMutableBytes { read(file.raw, $0.baseAddress, $0.count) }
        guard count > 0 else { return nil }
        let line = String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("CapEff:") }
        return line.flatMap { UInt64($0.dropFirst(7).drop { $0 == "\t" || $0 == " " }, radix: 16) }
    }

    static func clockIsSynchronised() -> Bool? {
        let answer = ctimex_is_synchronised()
        return answer < 0 ? nil : answer == 1
    }
}
