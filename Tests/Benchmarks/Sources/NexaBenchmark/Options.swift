/// The command line of `nexa-bench`.
struct Options: Sendable {
    /// A server: its port on loopback, and its process for the CPU time.
    struct Server: Sendable {
        var port: UInt16
        var process: Int32?
    }

    static let usage = """
        usage: nexa-bench [--nexadb PORT[,PID]] [--redis PORT[,PID]] [--postgresql PORT[,PID]] [options]
               nexa-bench --free-ports N       print N ports of loopback that are free now
          --movies FILE        documents, one JSON object a line (default: synthetic films)
          --data-directory DIR where the servers keep their data, to measure its disk (default: .)
          --swift-version V    for the machine line
          --markdown FILE      write the tables as Markdown too
          --only LIST          operations: read,query,insert-os,insert-sync,update-os,update-sync
          --connections LIST   default 1,16
          --pipeline LIST      requests in flight on each connection, default 1,32
          --rounds N           default 5
          --seconds S          length of one measurement, default 0.7
          --quick              one round of 0.2 s
        The password of NexaDB's root is read from NEXADB_ROOT_PASSWORD.
        """

    var nexadb: Server?
    var redis: Server?
    var postgresql: Server?
    var movies: String?
    var dataDirectory = "."
    var swiftVersion: String?
    var markdown: String?
    var operations = Operation.measured
    var connections = [1, 16]
    var depths = [1, 32]
    var rounds = 5
    var seconds = 0.7
    var freePorts: Int?

    init(_ arguments: [String]) throws(BenchmarkError) {
        var rest = arguments[...]
        while let option = rest.popFirst() {
            if option == "--quick" {
                rounds = 1
                seconds = 0.2
                continue
            }
            guard let value = rest.popFirst() else { throw BenchmarkError("\(option) is unknown or lacks its value") }
            switch option {
            case "--nexadb": nexadb = try Self.server(value)
            case "--redis": redis = try Self.server(value)
            case "--postgresql": postgresql = try Self.server(value)
            case "--movies": movies = value
            case "--data-directory": dataDirectory = value
            case "--swift-version": swiftVersion = value
            case "--markdown": markdown = value
            case "--only": operations = try Self.operations(value)
            case "--connections": connections = try Self.numbers(value, upTo: 64)
            case "--pipeline": depths = try Self.numbers(value, upTo: 1024)
            case "--rounds": rounds = try Self.number(value, upTo: 100)
            case "--seconds":
                guard let number = Double(value), (0.01...60).contains(number) else {
                    throw BenchmarkError("--seconds takes 0.01 to 60")
                }
                seconds = number
            case "--free-ports": freePorts = try Self.number(value, upTo: 16)
            default: throw BenchmarkError("\(option) is unknown")
            }
        }
    }

    /// The combinations to measure for one operation.
    func cells(_ operation: Operation) -> [Cell] {
        var cells: [Cell] = []
        for count in connections {
            for depth in depths {
                let cell = Cell(
                    operation: operation, connections: count, depth: min(depth, operation.maximumDepth))
                if !cells.contains(cell) { cells.append(cell) }
            }
        }
        return cells
    }

    private static func server(_ text: String) throws(BenchmarkError) -> Server {
        let parts = text.split(separator: ",")
        guard let port = parts.first.flatMap({ UInt16($0) }), port > 0, parts.count <= 2 else {
            throw BenchmarkError("'\(text)' is not PORT or PORT,PID")
        }
        return Server(port: port, process: parts.count == 2 ? Int32(parts[1]) : nil)
    }

    private static func operations(_ text: String) throws(BenchmarkError) -> [Operation] {
        let names = text.split(separator: ",").map(String.init)
        for name in names where !Operation.measured.contains(where: { $0.rawValue == name }) {
            throw BenchmarkError("there is no operation '\(name)'")
        }
        return Operation.measured.filter { names.contains($0.rawValue) }
    }

    private static func numbers(_ text: String, upTo bound: Int) throws(BenchmarkError) -> [Int] {
        var numbers: [Int] = []
        for part in text.split(separator: ",") { numbers.append(try number(String(part), upTo: bound)) }
        guard !numbers.isEmpty else { throw BenchmarkError("'\(text)' is not a list of numbers") }
        return numbers
    }

    private static func number(_ text: String, upTo bound: Int) throws(BenchmarkError) -> Int {
        guard let number = Int(text), (1...bound).contains(number) else {
            throw BenchmarkError("'\(text)' is not a number from 1 to \(bound)")
        }
        return number
    }
}
