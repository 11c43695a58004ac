/// One system's results in one cell, a measurement a round.
struct CellResult: Sendable {
    var rounds: [Measurement] = []
    /// Why there are none, or not all.
    var problem: String?

    var rate: Spread? { Spread(rounds.map(\.operationsPerSecond)) }

    var latencies: Histogram {
        rounds.reduce(into: Histogram()) { $0.merge($1.latencies) }
    }

    /// Server CPU time for one operation, over all rounds.
    var serverCPUPerOperation: Double? {
        let known = rounds.compactMap(\.serverCPUNanoseconds)
        let operations = rounds.reduce(0) { $0 + $1.operations }
        let sum = known.reduce(0, +)
        // The kernel counts in steps of 10 ms: of so few of them nothing can be said.
        guard known.count == rounds.count, operations > 0, sum >= 50_000_000 else { return nil }
        return Double(sum) / Double(operations)
    }

    /// The part of the time in which the load generator was on the CPU.
    var clientLoad: Double? {
        let time = rounds.reduce(0) { $0 + $1.nanoseconds }
        return time > 0 ? Double(rounds.reduce(0) { $0 + $1.clientCPUNanoseconds }) / Double(time) : nil
    }
}

/// The results of one operation, by cell and then by system.
struct OperationResult: Sendable {
    var operation: Operation
    var cells: [(cell: Cell, systems: [String: CellResult])]
}

/// Measures cell by cell.
///
/// Inside a round the systems take turns within a second or two, in an order that rotates from round to
/// round, so that what else happens on the machine hits all of them alike.
struct Runner {
    let targets: [any Target]
    let options: Options
    let movies: Movies

    /// Measures every cell of an operation.
    func run(_ operation: Operation) -> OperationResult {
        let cells = options.cells(operation)
        var results = [[String: CellResult]](repeating: [:], count: cells.count)
        var taking: [any Target] = []
        for target in targets {
            do throws(BenchmarkError) {
                if try target.begin(operation) { taking.append(target) }
            } catch {
                for index in cells.indices { results[index][target.name] = CellResult(problem: error.message) }
            }
        }
        let length = RunLength.nanoseconds(Int64(options.seconds * 1e9))
        for round in 0..<options.rounds {
            for (index, cell) in cells.enumerated() {
                for turn in taking.indices {
                    let target = taking[(turn + round + index) % taking.count]
                    var result = results[index][target.name] ?? CellResult()
                    do throws(BenchmarkError) {
                        if round == 0 && options.rounds > 1 {
                            _ = try target.measure(cell, length: .nanoseconds(100_000_000), seed: 1)
                        }
                        let measurement = try target.measure(cell, length: length, seed: UInt64(1000 + round))
                        result.rounds.append(measurement)
                        if let failure = measurement.firstFailure {
                            result.problem = "\(measurement.failures) of \(measurement.operations) failed: \(failure)"
                        }
                    } catch {
                        result.problem = error.message
                    }
                    results[index][target.name] = result
                }
            }
        }
        return OperationResult(operation: operation, cells: zip(cells, results).map { (cell: $0, systems: $1) })
    }
}
