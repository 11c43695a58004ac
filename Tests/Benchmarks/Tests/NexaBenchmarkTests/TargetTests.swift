import Testing

@testable import NexaBenchmark

/// A whole comparison against a small server, and the ways in which a server can be wrong.
@Suite struct TargetTests {
    private let movies = Movies(synthetic: 300, seed: 3)

    /// Runs `body` with a target. The server ends with the target's connections, so the target must be
    /// gone before the server is waited for.
    private func withTarget(_ fault: SmallNexaServer.Fault, _ body: (any Target) throws -> Void) throws {
        let server = try SmallNexaServer(fault: fault)
        defer { server.stop() }
        try connect(to: server.port, body)
    }

    private func connect(to port: UInt16, _ body: (any Target) throws -> Void) throws {
        let target = try WireTarget(NexaWire(password: "secret"), port: port, process: nil, movies: movies)
        #expect(target.version == "test")
        try body(target)
    }

    @Test func everyOperationIsMeasured() throws {
        try withTarget(.none) { target in
            #expect(try target.load().operations == movies.documents.count)
            try target.verify()
            let options = try Options([
                "--rounds", "2", "--seconds", "0.02", "--connections", "1,3", "--pipeline", "1,8"
            ])
            let runner = Runner(targets: [target], options: options, movies: movies)
            for operation in Operation.measured {
                let result = runner.run(operation)
                #expect(result.cells.count == 4)
                for (cell, systems) in result.cells {
                    let found = try #require(systems["NexaDB"])
                    #expect(found.problem == nil, "\(cell)")
                    #expect(found.rounds.count == 2)
                    #expect(found.rounds.allSatisfy { $0.operations >= cell.connections * cell.depth })
                }
            }
        }
    }

    @Test func lostInsertsAreNoticed() throws {
        try withTarget(.losesInserts) { target in
            _ = try target.load()
            #expect(try target.begin(.insertSync))
            let cell = Cell(operation: .insertSync, connections: 2, depth: 4)
            #expect(throws: BenchmarkError.self) { try target.measure(cell, length: .operations(100), seed: 1) }
        }
    }

    @Test func ignoredUpdatesAreNoticed() throws {
        try withTarget(.ignoresUpdates) { target in
            _ = try target.load()
            #expect(throws: BenchmarkError.self) { try target.verify() }
        }
    }

    @Test func missingFilmsAreFailures() throws {
        try withTarget(.none) { target in
            #expect(try target.begin(.read))
            let cell = Cell(operation: .read, connections: 1, depth: 4)
            let result = try target.measure(cell, length: .operations(50), seed: 1)
            #expect(result.operations == 50 && result.failures == 50)
            #expect(result.firstFailure?.contains("Not found") == true)
        }
    }
}
