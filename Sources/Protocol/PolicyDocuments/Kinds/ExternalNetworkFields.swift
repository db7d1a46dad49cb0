// ExternalNetwork: addresses and names that are not processing units.

import SallyportProtocol

extension Form where Value == ExternalNetwork {
    static var externalNetwork: Form {
        .mapping(
            [
                Field(
                    "entries", \.entries, .list(of: .text("an entry"), "CIDRs, !CIDRs, domain names and *.domain names"), .required),
                Field("tags", \.tags, .tags, .optional("[]")),
                Field("propagate", \.propagate, .flag, .optional("false")),
            ], initial: ExternalNetwork())
    }
}
