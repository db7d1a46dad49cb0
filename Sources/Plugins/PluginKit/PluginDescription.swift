// What a plugin says of itself.

import SallyportProtocol

/// What `sallyport plugins` shows, and which settings `config` may have. The kinds follow from the protocols
/// the plugin conforms to.
public struct PluginDescription: Sendable {
    /// "policy-file"
    public var name: String
    public var version: String
    /// One line.
    public var summary: String
    public var settings: [PluginSetting]

    public init(name: String, version: String, summary: String, settings: [PluginSetting] = []) {
        self.name = name
        self.version = version
        self.summary = summary
        self.settings = settings
    }
}

/// One key of `config`.
///
/// A key inside an object or a list has its path as its name: `zones[].name`. A setting without such
/// members declared may hold anything.
public struct PluginSetting: Sendable {
    public var name: String
    /// What the value is, in the words of an error message: "path", "list of addresses", "duration".
    public var type: String
    public var summary: String
    /// As an operator would write it; empty for none.
    public var defaultValue: String
    public var required: Bool

    public init(_ name: String, type: String, summary: String, defaultValue: String = "", required: Bool = false) {
        self.name = name
        self.type = type
        self.summary = summary
        self.defaultValue = defaultValue
        self.required = required
    }
}

extension PluginDescription {
    func response(kinds: [Sallyport_Plugin_V1_PluginKind], publicTLSModes: [PublicTLSMode]) -> Sallyport_Plugin_V1_DescribeResponse {
        var response = Sallyport_Plugin_V1_DescribeResponse()
        response.name = name
        response.version = version
        response.summary = summary
        response.kinds = kinds
        response.publicTlsModes = publicTLSModes
        response.settings = settings.map { setting in
            var message = Sallyport_Plugin_V1_DescribeResponse.Setting()
            message.name = setting.name
            message.type = setting.type
            message.default = setting.defaultValue
            message.summary = setting.summary
            message.required = setting.required
            return message
        }
        return response
    }
}
