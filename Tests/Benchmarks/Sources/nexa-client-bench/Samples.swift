import NexaBenchmark

/// Durations in nanoseconds of one round.
struct Samples {
    private var sorted: [Int64]

    init(_ durations: [Int64]) { sorted = durations.sorted() }

    func quantile(_ fraction: Double) -> Double {
        guard !sorted.isEmpty else { return .nan }
        return Double(sorted[min(sorted.count - 1, Int(Double(sorted.count) * fraction))])
    }

    var median: Double { quantile(0.5) }
}

/// One line of the report: the rounds of the plain socket and of the client beside it.
struct Comparison {
    enum Unit { case nanoseconds, perSecond }

    var name: String
    var unit: Unit
    var raw: [Double] = []
    var client: [Double] = []
    var goal = ""

    /// Client ÷ plain socket, round by round.
    var ratio: Spread? { Spread(zip(client, raw).filter { $1 > 0 }.map { $0 / $1 }) }

    private func text(_ value: Double?) -> String {
        guard let value else { return "–" }
        return unit == .nanoseconds ? duration(value) : grouped(value) + " /s"
    }

    var columns: [String] {
        let client = Spread(client)
        let raw = Spread(raw)
        var ratioText = "–"
        if let ratio {
            ratioText = "\(significant(ratio.median)) (\(significant(ratio.minimum)) – \(significant(ratio.maximum)))"
        }
        var difference = ""
        if unit == .nanoseconds, let client, let raw { difference = "+\(duration(client.median - raw.median))" }
        return [name, text(raw?.median), text(client?.median), ratioText, difference, goal]
    }

    static let heads = ["", "plain socket", "client", "ratio (spread)", "more", "goal"]
}

/// Columns for a terminal, or a table of Markdown.
func table(_ rows: [[String]], markdown: Bool) -> String {
    let all = [Comparison.heads] + rows
    if markdown {
        let lines = all.map { "| " + $0.joined(separator: " | ") + " |" }
        return ([lines[0], "|" + String(repeating: "---|", count: Comparison.heads.count)] + lines.dropFirst())
            .joined(separator: "\n")
    }
    let widths = Comparison.heads.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    return all.map { row in
        zip(row, widths).enumerated()
            .map { $0 == 0 || $0 == row.count - 1 ? $1.0.left($1.1) : $1.0.right($1.1) }.joined(separator: "  ")
    }.joined(separator: "\n")
}
