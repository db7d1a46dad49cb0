// `sallyport explain`: the same decisions as a flow would meet, told step by step. PUs of other nodes are compiled for
// the occasion.

import Linux
import SallyportProtocol

extension PolicySnapshot {
    /// Says whether a flow would pass, and why.
    ///
    /// - Parameters:
    ///   - from: A PU: "NAMESPACE/NAME", or a name that is unique.
    ///   - to: A service or PU, named likewise, or "ADDRESS:PORT". "service:" or "pu:" before a name says which is meant.
    public func explain(from: String, to: String) -> Sallyport_Control_V1_ExplainResponse {
        var explanation = Explanation(world: world, names: names)
        do {
            let client = try world.findUnit(from)
            do {
                explanation.explain(from: client, to: try world.findEndpoint(to))
            } catch {
                explanation.fail("to", error.message)
            }
        } catch {
            explanation.fail("from", error.message)
        }
        return explanation.response
    }
}

extension PolicyWorld {
    /// What policy says about any PU, local or not; without a plan.
    func policy(ofUnit number: Int32) -> UnitPolicy? {
        guard let entry = state.units[number] else { return nil }
        let tags = entry.record.allTags(state.namespaces)
        let atoms = state.atoms.satisfied(by: tags)
        var visible = NumberSet()
        if state.namespaces.settings[Int(entry.record.namespace)].dependsByDefault {
            visible = state.services.holding(in: entry.record.namespace, state.namespaces)
        }
        for policy in state.dependencies(for: atoms, in: entry.record.namespace) { visible.formUnion(state.services(of: policy)) }
        return UnitPolicy(
            entry.record, tags: tags, rules: UnitRules(state.precedence(state.rulesets(for: atoms, in: entry.record.namespace))),
            visible: visible, frontends: [], served: entry.implements, world: self)
    }
}

/// Collects the steps.
struct Explanation {
    typealias Step = Sallyport_Control_V1_ExplainResponse.Step

    let world: PolicyWorld
    /// The confirmed names of addresses.
    let names: [IPAddress: [String]]
    private(set) var response = Sallyport_Control_V1_ExplainResponse()

    init(world: PolicyWorld, names: [IPAddress: [String]]) {
        self.world = world
        self.names = names
    }

    mutating func step(_ stage: String, _ ok: Bool, _ text: String) {
        response.steps.append(
            .with {
                $0.stage = stage
                $0.ok = ok
                $0.text = text
            })
    }

    /// The question itself, or its premise, does not hold; nothing can be said about the flow.
    mutating func fail(_ stage: String, _ text: String) {
        step(stage, false, text)
        response.summary = text
    }

    mutating func conclude(_ verdict: Sallyport_Flow_V1_Verdict, _ encrypted: Sallyport_Flow_V1_Encryption, _ summary: String) {
        response.verdict = verdict
        response.encrypted = encrypted
        response.summary = summary
    }

    mutating func explain(from number: Int32, to endpoint: NamedEndpoint) {
        guard let client = world.policy(ofUnit: number) else { return }
        switch endpoint {
        case .service(let service): explain(client, to: service)
        case .unit(let unit): explain(client, toUnit: unit)
        case .address(let address): explain(client, to: address)
        }
    }
}
