// ServiceDependencyPolicy: which client processing units see which services.

import SallyportProtocol

extension Form where Value == ServiceDependencyPolicy {
    static var serviceDependencyPolicy: Form {
        .mapping(
            [
                Field("subject", \.subject, .selector, .required),
                Field("object", \.object, .selector, .required),
                Field("propagate", \.propagate, .flag, .optional("false")),
                Field("fallback", \.fallback, .flag, .optional("false")),
                Field("disabled", \.disabled, .flag, .optional("false")),
            ], initial: ServiceDependencyPolicy())
    }
}
