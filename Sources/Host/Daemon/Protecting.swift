// Units put under protection by a call instead of a document: `sallyport run`.

import Policy
import SallyportProtocol

extension Enforcer {
    /// The source that such units count as.
    private static let source = "control-api"

    /// - Returns: What is wrong with the unit; it is not protected then.
    func protect(_ unit: Sallyport_Policy_V1_Object) -> [Sallyport_Policy_V1_Problem] {
        guard unit.key.kind == .processingUnit else {
            return [.with { $0.key = unit.key; $0.message = "only a ProcessingUnit can be put under protection" }]
        }
        refusedProblems[unit.key] = nil
        take(.with { $0.upsert = unit }, from: Enforcer.source)
        take(.with { $0.complete = Sallyport_Plugin_V1_Complete() }, from: Enforcer.source)
        // What was refused is the caller's to mend, and no condition of the enforcer.
        return refusedProblems.removeValue(forKey: unit.key).map { [$0] } ?? []
    }

    /// - Returns: false if it was not put under protection by `protect`.
    func release(_ key: Sallyport_Policy_V1_ObjectKey) -> Bool {
        guard sources[key] == Enforcer.source else { return false }
        take(.with { $0.remove = key }, from: Enforcer.source)
        take(.with { $0.complete = Sallyport_Plugin_V1_Complete() }, from: Enforcer.source)
        return true
    }
}
