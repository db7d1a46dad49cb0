// Random policy in a small world, so that much of it meets.

import Policy
import SallyportProtocol
import Support

struct RandomPolicy {
    var random: SplitMix64

    let namespaces = ["/", "/a", "/a/b", "/a/b/c", "/a/d", "/e"]
    let names = ["p", "q", "r", "s"]
    let addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.1.1", "2001:db8::1", "2001:db8::2"]
    let blocks = ["10.0.0.0/30", "10.0.0.0/24", "10.0.0.0/16", "0.0.0.0/0", "2001:db8::/64", "::/0"]
    let ports = [80, 81, 8080]

    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[Int.random(in: elements.indices, using: &random)] }
    mutating func chance(_ one: Int, in all: Int) -> Bool { Int.random(in: 0..<all, using: &random) < one }
    mutating func some<Element>(_ range: ClosedRange<Int>, _ make: (inout RandomPolicy) -> Element) -> [Element] {
        (0..<Int.random(in: range, using: &random)).map { _ in make(&self) }
    }
    mutating func unique(_ range: ClosedRange<Int>, _ make: (inout RandomPolicy) -> String) -> [String] { Array(Set(some(range, make))).sorted() }

    mutating func path() -> String {
        let namespace = pick(namespaces)
        return (namespace == "/" ? "" : namespace) + "/" + pick(names)
    }

    mutating func tag() -> String { pick(["k", "l", "m"]) + "=" + pick(["x", "xy", "y", "z"]) }
    mutating func tags() -> [String] { unique(0...3) { $0.tag() } }
    mutating func peer() -> [String] {
        chance(1, in: 12) ? [] : tags() + ["$identity=processingunit", "$namespace=\(pick(namespaces))", "unheard=of"]
    }

    mutating func expression() -> String {
        switch Int.random(in: 0..<12, using: &random) {
        case 0: pick(["k", "l", "m", "unheard", "@org:k"]) + pick(["=*", "!=*"])
        case 1: pick(["k", "l"]) + "=" + pick(["x*", "xy*", "y*"])
        case 2: pick(["k", "l", "m"]) + "!=" + pick(["x", "y"])
        case 3: "$namespace=" + pick(namespaces)
        case 4: "$name=" + pick(names)
        case 5: "$identity=" + pick(["processingunit", "service"])
        case 6: "@org:" + tag()
        default: tag()
        }
    }
    mutating func selector() -> [[String]] { some(1...2) { policy in policy.unique(1...2) { $0.expression() } } }

    mutating func rule() -> PolicyRule {
        let ports = unique(1...2) { $0.pick(["any", "tcp/80", "tcp/81", "tcp/80:90", "tcp/8000:9000", "udp/80", "tcp/8080"]) }
        let observe = chance(1, in: 6)
        return chance(1, in: 3) ? .reject(selector(), ports, observe: observe) : .allow(selector(), ports, observe: observe)
    }

    mutating func object() -> PolicyObject {
        switch Int.random(in: 0..<12, using: &random) {
        case 0:
            let actions: [Sallyport_Policy_V1_InheritableAction] = [.inherit, .inherit, .allow, .reject]
            return .namespace(
                pick(namespaces), incoming: pick(actions), outgoing: pick(actions), tags: tags(), services: pick([.inherit, .enabled, .disabled]))
        case 1...4: return .unit(path(), tags(), at: unique(0...2) { $0.pick($0.addresses) }, node: pick(["", "", "node-2"]))
        case 5...7:
            return .service(
                path(), at: unique(1...2) { $0.chance(1, in: 2) ? $0.pick($0.addresses) : $0.pick($0.blocks) }, port: UInt32(pick(ports)),
                target: selector(), targetPort: UInt32(pick(ports)), tags: tags(), propagate: chance(1, in: 3), disabled: chance(1, in: 8))
        case 8:
            return .dependency(
                path(), subject: selector(), object: selector(), propagate: chance(1, in: 2), fallback: chance(1, in: 4), disabled: chance(1, in: 8))
        default:
            return .ruleset(
                path(), subject: selector(), incoming: some(0...3) { $0.rule() }, outgoing: some(1...3) { $0.rule() }, propagate: chance(1, in: 2),
                fallback: chance(1, in: 4), disabled: chance(1, in: 8))
        }
    }
}
