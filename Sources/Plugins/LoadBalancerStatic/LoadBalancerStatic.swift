// LoadBalancerStatic
