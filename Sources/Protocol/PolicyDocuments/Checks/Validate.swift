// What must hold for an object, whatever brought it: a file, a REST endpoint, Kubernetes or a plugin.

public import SallyportProtocol

/// Checks an object by itself: names, ports, addresses, selectors, PEM, fields that contradict each other.
///
/// Sources call it before they send, and the host again before it compiles.
/// - Returns: Nothing if all is well. An object with a problem of severity error must not be used.
public func validate(_ object: Sallyport_Policy_V1_Object) -> [FieldProblem] {
    var checks = Checks()
    checks.check(object.key)
    let kind: Sallyport_Policy_V1_Kind
    switch object.spec {
    case .namespace(let spec): kind = .namespace; checks.check(spec)
    case .processingUnit(let spec): kind = .processingUnit; checks.check(spec)
    case .tcpService(let spec): kind = .tcpService; checks.check(spec)
    case .serviceDependencyPolicy(let spec): kind = .serviceDependencyPolicy; checks.check(spec)
    case .networkRuleset(let spec): kind = .networkRuleset; checks.check(spec)
    case .externalNetwork(let spec): kind = .externalNetwork; checks.check(spec)
    case nil:
        checks.fail("spec", "is missing")
        return checks.problems
    }
    if kind != object.key.kind { checks.fail("spec", "is a \(kind.documentName), but kind says \(object.key.kind.documentName)") }
    return checks.problems
}

/// Collects what is wrong with one object.
struct Checks {
    private(set) var problems: [FieldProblem] = []

    mutating func fail(_ field: String, _ message: String) { note(FieldProblem(field: field, message: message)) }

    mutating func warn(_ field: String, _ message: String) {
        note(FieldProblem(field: field, message: message, severity: .warning))
    }

    private mutating func note(_ problem: FieldProblem) {
        // One more than is shown, so that it shows that there are more; and no number of warnings hides an error.
        if problems.count(where: { $0.severity == problem.severity }) <= maximumProblemsOfDocument { problems.append(problem) }
    }

    /// Runs one check, and notes what it throws.
    @discardableResult
    mutating func attempt<Value>(_ field: String, _ body: () throws(SyntaxProblem) -> Value) -> Value? {
        do {
            return try body()
        } catch {
            fail(field, error.message)
            return nil
        }
    }

    /// Checks each element, and that no two mean the same.
    /// - Returns: The elements that are right, with their places in the list.
    @discardableResult
    mutating func each<Value: Hashable>(
        _ elements: [String], at field: String, _ body: (String) throws(SyntaxProblem) -> Value
    ) -> [(index: Int, value: Value)] {
        var first: [Value: Int] = [:]
        return elements.enumerated().compactMap { index, text in
            guard let value = attempt("\(field)[\(index)]", { () throws(SyntaxProblem) in try body(text) }) else { return nil }
            if let earlier = first[value] {
                fail("\(field)[\(index)]", "\(quoted(text)) is already there as \(field)[\(earlier)]; remove one")
            } else {
                first[value] = index
            }
            return (index, value)
        }
    }

    mutating func port(_ port: UInt32, at field: String) {
        if !(1...65535).contains(port) { fail(field, "must be a port from 1 to 65535, not \(port)") }
    }
}
