// Short names for the messages that carry policy.

import SallyportProtocol

typealias PolicyObject = Sallyport_Policy_V1_Object
typealias ObjectKey = Sallyport_Policy_V1_ObjectKey
typealias Problem = Sallyport_Policy_V1_Problem
typealias SelectorMessage = Sallyport_Policy_V1_Selector
typealias NamespaceMessage = Sallyport_Policy_V1_Namespace
typealias UnitMessage = Sallyport_Policy_V1_ProcessingUnit
typealias ServiceMessage = Sallyport_Policy_V1_TCPService
typealias DependencyMessage = Sallyport_Policy_V1_ServiceDependencyPolicy
typealias RulesetMessage = Sallyport_Policy_V1_NetworkRuleset
typealias ExternalNetworkMessage = Sallyport_Policy_V1_ExternalNetwork

/// What a PU is: the whole host, a cgroup of it, or a network namespace.
public typealias UnitType = Sallyport_Policy_V1_ProcessingUnit.TypeEnum
/// What happens to live flows that a new policy no longer allows.
public typealias OnPolicyChange = Sallyport_Policy_V1_OnPolicyChange
/// What happens to traffic while the enforcer is not there.
public typealias FailureMode = Sallyport_Policy_V1_FailureMode
