import Testing

@testable import NexaBenchmark

@Suite struct StatisticsTests {
    @Test(arguments: [UInt64(1), 2, 3])
    func quantilesAreWithinABucket(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var histogram = Histogram()
        let values = (0..<10_000).map { _ in Int64(random.next() >> UInt64(10 + random.next(below: 50))) }.sorted()
        for value in values { histogram.record(value) }
        for fraction in [0.01, 0.5, 0.9, 0.99, 1] {
            let exact = Double(values[Int((Double(values.count) * fraction).rounded(.up)) - 1])
            let found = histogram.quantile(fraction) ?? -1
            #expect(abs(found - exact) <= exact * 0.032 + 0.5, "seed \(seed), quantile \(fraction)")
        }
        #expect(Histogram().quantile(0.5) == nil)
    }

    @Test func spread() {
        #expect(Spread([3, 1, 2])?.median == 2)
        #expect(Spread([4, 1, 2, 3])?.median == 2.5)
        #expect(Spread([4, 1, 2, 3])?.maximum == 4)
        #expect(Spread([]) == nil)
    }

    @Test func numbersAsText() {
        #expect(grouped(1_234_567.4) == "1 234 567")
        #expect(grouped(999) == "999")
        #expect(significant(0.996) == "1.00")
        #expect(significant(12.34) == "12.3")
        #expect(significant(123.4) == "123")
        #expect(duration(1_500) == "1.50 us")
        #expect(duration(2_345_678) == "2.35 ms")
    }

    @Test func ratiosComeFromTheSameRound() throws {
        func result(_ rates: [Int]) -> CellResult {
            CellResult(rounds: rates.map { Measurement(operations: $0, nanoseconds: 1_000_000_000) })
        }
        let systems = ["NexaDB": result([200, 100, 50]), "Redis": result([100, 50, 25]), "PostgreSQL": result([400])]
        var report = Report(systems: ["NexaDB", "Redis", "PostgreSQL"])
        let ratio = try #require(report.ratio(systems, to: "Redis"))
        #expect(ratio.minimum == 2 && ratio.median == 2 && ratio.maximum == 2)
        #expect(report.ratio(systems, to: "PostgreSQL") == nil, "the rounds do not pair")

        let cell = Cell(operation: .read, connections: 16, depth: 32)
        report.results = [OperationResult(operation: .read, cells: [(cell: cell, systems: systems)])]
        let markdown = report.markdown(head: ["machine"], foot: ["note"])
        #expect(markdown.contains("| read | 16 × 32 | 100 (50 – 200) | 50 (25 – 100) | 400 (400 – 400) | 2.00"))
        #expect(report.summary().contains("2.00"))
    }

    @Test func aFailureIsNeverANumber() {
        let failed = CellResult(rounds: [Measurement(operations: 5, nanoseconds: 5)], problem: "1 of 5 failed: no")
        var report = Report(systems: ["NexaDB"])
        let cell = Cell(operation: .read, connections: 1, depth: 1)
        let result = OperationResult(operation: .read, cells: [(cell: cell, systems: ["NexaDB": failed])])
        report.results = [result]
        #expect(report.markdown(head: [], foot: []).contains("| read | 1 × 1 | failed |"))
        #expect(report.text(result).contains("FAILED: 1 of 5 failed: no"))
    }
}

@Suite struct OptionsTests {
    @Test func depthOfQueriesIsBounded() throws {
        let options = try Options(["--connections", "1", "--pipeline", "1,4,32"])
        #expect(options.cells(.read).map(\.depth) == [1, 4, 32])
        #expect(options.cells(.query).map(\.depth) == [1, 4])
    }

    @Test func servers() throws {
        let options = try Options(["--redis", "6379,12", "--postgresql", "5432", "--only", "update-os,read"])
        #expect(options.redis?.port == 6379 && options.redis?.process == 12)
        #expect(options.postgresql?.process == nil)
        #expect(options.operations == [.read, .updateOS])
    }

    @Test(arguments: [
        ["--redis", "0"], ["--redis"], ["--only", "reed"], ["--rounds", "0"], ["--seconds", "x"], ["--what", "1"],
        ["--pipeline", ""], ["--connections", "1,x"]
    ])
    func mistakesAreNamed(arguments: [String]) {
        #expect(throws: BenchmarkError.self) { try Options(arguments) }
    }
}
