// What one service's port serves, and what is wrong with it: from what was read, and when.

import FlowFormat
import PluginKit

/// A value without I/O; times are seconds since 1970.
///
/// A pair that is out of date is served where there is no better one. A client then refuses it with a reason that names the
/// cause, where a port without any certificate would only be reset; and it may be this machine's clock that is wrong.
struct ServedPair: Sendable {
    /// Certificate and key are two files, which are replaced one after the other: what is wrong meanwhile is not said so soon.
    static let patience: Int64 = 2
    static let warning: Int64 = 7 * 86400
    /// Clocks may differ by five minutes.
    static let tolerance: Int64 = 300

    let source: PairSource
    private var inForce: CertificatePair?
    private var exposure = ""
    /// What is wrong with what was read last; what is served then is older.
    private var fault: (text: String, since: Int64)?
    private var lastRead: PairTexts?

    init(_ source: PairSource, after before: ServedPair?) {
        self.source = source
        inForce = before?.inForce
    }

    mutating func learn(_ reading: Result<PairTexts, CertificateFault>, at now: Int64) {
        do throws(CertificateFault) {
            let texts = try reading.get()
            // Checking signatures is dear, and files are looked at every ten seconds.
            if texts == lastRead { return }
            lastRead = nil
            let pair = try texts.pair()
            if let inForce, Self.isInDate(inForce, now), !Self.isInDate(pair, now) {
                throw CertificateFault(Self.dates(pair, now))
            }
            lastRead = texts
            inForce = pair
            exposure = texts.warning
            fault = nil
        } catch {
            fault = (error.description, fault?.since ?? now)
        }
    }

    /// When what is to be said will be another thing; nil if never.
    func deadline(after now: Int64) -> Int64? {
        var times: [Int64] = []
        if let inForce { times += [inForce.notBefore - Self.tolerance, inForce.notAfter - Self.warning, inForce.notAfter] }
        if let fault { times.append(fault.since + hesitation) }
        return times.filter { $0 > now }.min()
    }

    func message(_ service: PublicService, at now: Int64) -> PublicCertificate {
        var problems: [String] = []
        if let fault, now >= fault.since + hesitation {
            problems.append(fault.text + (inForce == nil ? "" : " (what was there before is still served)"))
        }
        if let inForce { problems.append(Self.dates(inForce, now)) }
        problems.append(exposure)
        return .with {
            $0.service = service.key
            $0.problem = problems.filter { !$0.isEmpty }.joined(separator: "; ")
            guard let inForce else { return }
            $0.chain = inForce.chain.map { .init($0) }
            $0.privateKey = .init(inForce.privateKey)
            $0.notAfter = inForce.notAfter
        }
    }

    private var hesitation: Int64 { inForce == nil || source.paths.isEmpty ? 0 : Self.patience }

    private static func isInDate(_ pair: CertificatePair, _ now: Int64) -> Bool { pair.notBefore - tolerance <= now && now < pair.notAfter }

    private static func dates(_ pair: CertificatePair, _ now: Int64) -> String {
        if now >= pair.notAfter { return "the certificate, or one in its chain, expired on \(day(pair.notAfter)) and clients refuse it: replace it" }
        if now < pair.notBefore - tolerance {
            return "the certificate, or one in its chain, is not valid before \(day(pair.notBefore)): wait, replace it, or correct this machine's clock"
        }
        return pair.notAfter - now < warning ? "the certificate, or one in its chain, ends on \(day(pair.notAfter)): replace it" : ""
    }

    /// "2027-03-01"
    private static func day(_ time: Int64) -> String { String(rfc3339(seconds: time).prefix(10)) }
}
