import Glibc

/// Turns results into text, for people and as Markdown.
struct Report: Sendable {
    /// The systems in the order of the columns; the first one is compared with the others.
    var systems: [String]
    /// Those of them that were not there.
    var missing: [String]
    var results: [OperationResult] = []

    init(systems: [String], missing: [String] = []) {
        self.systems = systems
        self.missing = missing
    }

    /// How often as fast the first system is as `peer`, paired round by round.
    func ratio(_ systems: [String: CellResult], to peer: String) -> Spread? {
        guard let own = self.systems.first.flatMap({ systems[$0] }), let other = systems[peer] else { return nil }
        guard own.problem == nil, other.problem == nil, own.rounds.count == other.rounds.count else { return nil }
        return Spread(
            zip(own.rounds, other.rounds).filter { $1.operationsPerSecond > 0 }
                .map { $0.operationsPerSecond / $1.operationsPerSecond })
    }

    // MARK: Text

    /// One operation, a paragraph a cell.
    func text(_ result: OperationResult) -> String {
        var lines: [String] = []
        for (cell, systems) in result.cells {
            lines.append("\(cell.operation.rawValue), \(Self.words(cell))")
            for name in self.systems {
                lines.append("  " + name.left(11) + line(systems[name], systems, peer: name))
            }
        }
        return lines.joined(separator: "\n")
    }

    private func line(_ result: CellResult?, _ systems: [String: CellResult], peer: String) -> String {
        guard let result else { return empty(peer) }
        var text = ""
        if let rate = result.rate {
            text += grouped(rate.median).right(10) + " /s"
            text += " (\(grouped(rate.minimum)) – \(grouped(rate.maximum)))".left(24)
            let latencies = result.latencies
            if let median = latencies.quantile(0.5), let high = latencies.quantile(0.99) {
                text += " p50 \(duration(median).right(8)), p99 \(duration(high).right(8))"
            }
            if let cpu = result.serverCPUPerOperation { text += ", server \(duration(cpu))/op" }
            if let load = result.clientLoad { text += ", client \(fixed(load * 100, places: 0)) %" }
            if peer != self.systems.first, let ratio = ratio(systems, to: peer) {
                text += "   \(self.systems[0]) is x \(Self.words(ratio))"
            }
        }
        if let problem = result.problem { text += (text.isEmpty ? "" : "  ") + "FAILED: \(problem)" }
        return text
    }

    /// What stands where there is no result.
    private func empty(_ name: String) -> String { missing.contains(name) ? "not there" : "–" }

    /// One line for each operation and peer: the ratios of its cells.
    func summary() -> String {
        var lines: [String] = []
        for result in results {
            for peer in systems.dropFirst() {
                let ratios = result.cells.compactMap { ratio($0.systems, to: peer)?.median }
                guard !ratios.isEmpty, ratios.allSatisfy({ $0 > 0 }) else { continue }
                let mean = exp(ratios.reduce(0) { $0 + log($1) } / Double(ratios.count))
                let all = ratios.map(significant).joined(separator: ", ")
                lines.append(
                    "\(result.operation.rawValue.left(12)) \(systems[0]) ÷ \(peer.left(11)) \(significant(mean).right(6))"
                        + "   cells: \(all)")
            }
        }
        return lines.joined(separator: "\n")
    }

    // MARK: Markdown

    /// All results as tables, between the lines that say where they come from.
    func markdown(head: [String], foot: [String]) -> String {
        var lines = head.map { "- \($0)" }
        lines += ["", "Operations a second: median (minimum – maximum) of the rounds; ratios of the same round.", ""]
        lines += table(columns: systems + systems.dropFirst().map { "\(systems[0]) ÷ \($0)" }) { systems in
            self.systems.map { rateCell(systems[$0], $0) }
                + self.systems.dropFirst().map { ratio(systems, to: $0).map(Self.words) ?? "–" }
        }
        lines += ["", "Latency p50 / p99, and the CPU time of the server for one operation.", ""]
        lines += table(columns: systems) { systems in self.systems.map { latencyCell(systems[$0], $0) } }
        return (lines + [""] + foot.map { "- \($0)" }).joined(separator: "\n") + "\n"
    }

    private func table(columns: [String], row: ([String: CellResult]) -> [String]) -> [String] {
        var lines = ["| operation | connections × in flight | " + columns.joined(separator: " | ") + " |"]
        lines.append("|---|---|" + String(repeating: "---|", count: columns.count))
        for result in results {
            for (cell, systems) in result.cells {
                let head = "| \(cell.operation.rawValue) | \(cell.connections) × \(cell.depth) | "
                lines.append(head + row(systems).joined(separator: " | ") + " |")
            }
        }
        return lines
    }

    private func rateCell(_ result: CellResult?, _ name: String) -> String {
        guard let result else { return empty(name) }
        guard result.problem == nil, let rate = result.rate else { return "failed" }
        return "\(grouped(rate.median)) (\(grouped(rate.minimum)) – \(grouped(rate.maximum)))"
    }

    private func latencyCell(_ result: CellResult?, _ name: String) -> String {
        guard let result else { return empty(name) }
        let latencies = result.latencies
        guard result.problem == nil, let median = latencies.quantile(0.5), let high = latencies.quantile(0.99) else {
            return "failed"
        }
        let cpu = result.serverCPUPerOperation.map { ", \(duration($0)) CPU" } ?? ""
        return "\(duration(median)) / \(duration(high))\(cpu)"
    }

    private static func words(_ cell: Cell) -> String {
        "\(cell.connections) connection\(cell.connections == 1 ? "" : "s")"
            + (cell.depth == 1 ? ", not pipelined" : ", \(cell.depth) in flight on each")
    }

    private static func words(_ ratio: Spread) -> String {
        "\(significant(ratio.median)) (\(significant(ratio.minimum)) – \(significant(ratio.maximum)))"
    }
}
