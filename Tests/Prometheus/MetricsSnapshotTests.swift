import Prometheus
import Testing

struct MetricsSnapshotTests {
    @Test("families are written with help, type and samples")
    func text() {
        let snapshot = MetricsSnapshot([
            MetricFamily("sallyport_live_flows", .gauge, help: "Flows now open.", 3),
            MetricFamily(
                "sallyport_flows_total", .counter, help: "Flows that ended.",
                samples: [
                    .init(2, labels: [.init("verdict", "accepted"), .init("encrypted", "no")]),
                    .init(0.5, labels: [.init("verdict", "refused")]),
                ]),
            MetricFamily("sallyport_nothing_total", .counter, help: "Has no sample.", samples: []),
        ])
        #expect(
            snapshot.text == """
                # HELP sallyport_live_flows Flows now open.
                # TYPE sallyport_live_flows gauge
                sallyport_live_flows 3
                # HELP sallyport_flows_total Flows that ended.
                # TYPE sallyport_flows_total counter
                sallyport_flows_total{verdict="accepted",encrypted="no"} 2
                sallyport_flows_total{verdict="refused"} 0.5

                """)
    }

    @Test("labels and help cannot break the text's lines")
    func escapes() {
        let family = MetricFamily("m", .gauge, help: "a\\b\n\"c\"", samples: [.init(1, labels: [.init("l", "x\"} 9\ny\\")])])
        #expect(MetricsSnapshot([family]).text == "# HELP m a\\\\b\\n\"c\"\n# TYPE m gauge\nm{l=\"x\\\"} 9\\ny\\\\\"} 1\n")
    }

    @Test(
        "numbers are written as Prometheus reads them",
        arguments: [
            (0, "0"), (-1, "-1"), (9_007_199_254_740_991, "9007199254740991"), (1e300, "1e+300"), (.infinity, "+Inf"),
            (-.infinity, "-Inf"), (.nan, "NaN"), (0.25, "0.25"),
        ] as [(Double, String)])
    func numbers(_ value: Double, _ text: String) {
        #expect(MetricsSnapshot([MetricFamily("m", .gauge, help: "", value)]).text.hasSuffix("\nm \(text)\n"))
    }
}
